"""What a technician types and reads."""
