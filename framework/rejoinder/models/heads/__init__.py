"""The mathematics of the small models that sit on the vectors: one method each."""
