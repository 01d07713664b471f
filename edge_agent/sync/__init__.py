"""Talking to the central side: wire formats, broker session, downloads."""
