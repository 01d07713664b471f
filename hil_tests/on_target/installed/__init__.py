"""What runs in a machine on which the station is installed: its own units, in a real systemd."""
