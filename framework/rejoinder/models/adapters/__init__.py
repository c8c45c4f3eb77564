"""Adapters: what one task changes in the shared encoder, and the methods that make them."""
