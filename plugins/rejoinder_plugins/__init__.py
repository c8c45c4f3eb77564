"""General-purpose plugins, one folder each, loaded like a stranger's through the entry points of the distribution."""
