"""Tenants: their settings, plugins, API keys, users' tokens, roles and limits. `service.Tenants` is the way in."""
