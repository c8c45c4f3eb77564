"""Full fine-tuning: all weights of the encoder's layers."""
