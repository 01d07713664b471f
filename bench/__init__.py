"""What the station costs and how fast it is, measured on whole real processes: ``./run bench``."""
