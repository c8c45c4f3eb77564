"""The stream of events: taken in, near-duplicates folded, read by plugins."""
