"""Prefix tuning: learned keys and values before each layer's own."""
