"""What boots a machine and looks at it from outside: what is left when its own system no longer works."""
