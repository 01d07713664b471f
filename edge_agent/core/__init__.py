"""The decisions, all pure: no clock, file, socket, logger, thread or randomness in here."""
