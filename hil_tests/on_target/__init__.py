"""What runs where the station runs: in the virtual bench's machine, or on a real station."""
