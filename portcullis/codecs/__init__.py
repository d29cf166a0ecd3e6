"""Bytes to fields and back. No sessions, no I/O, no time."""
