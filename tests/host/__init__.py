"""Real parts of the host for tests: a private sound server, a recorder behind it."""
