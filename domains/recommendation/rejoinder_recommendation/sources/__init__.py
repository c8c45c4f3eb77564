"""Where candidates come from: each source scores all items for a user, from what all users did or from texts."""
