"""Hostile and random input for everything that reads: the tests' own properties, again and again with fresh seeds."""
