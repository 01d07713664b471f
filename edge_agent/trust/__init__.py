"""Whether an order is authentic and within its issuer's limits: pure, given the bytes."""
