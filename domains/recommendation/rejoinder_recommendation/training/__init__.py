"""Recommenders trained by workers from a tenant's items and behaviour, and judged before anybody sees their lists."""
