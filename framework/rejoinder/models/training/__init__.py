"""Training of adapters: one loop for all tasks and methods."""
