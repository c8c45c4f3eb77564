"""Documents that answers are found in: read, cut into passages, searched, and cited."""
