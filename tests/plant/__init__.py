"""Faults planted in copies of the product, each of which the soak must catch: ``./run plant``."""
