"""Keeps records, gives them out after the chain has it, and gets those of others."""
