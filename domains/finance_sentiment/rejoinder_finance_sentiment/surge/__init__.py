"""Surges: a streaming detector for many series at once, and how it is scored."""
