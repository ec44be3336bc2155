"""Sealed records and consent terms as files, and the keys that can be destroyed."""
