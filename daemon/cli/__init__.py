"""The command line: parse, call, print.

A command loads only what it needs: what talks to a running node imports the standard library and
click, what signs adds msgspec and PyNaCl. No command of a client imports libp2p, trio, structlog or
cryptography; a test fails if one does, or if one becomes slow to start.
"""
