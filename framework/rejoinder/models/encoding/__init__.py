"""The frozen base encoder: weights, tokens, pooling, and the service that batches what waits for it."""
