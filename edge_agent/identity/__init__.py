"""What makes a station this station: keys made on it, the code that brings it in, its certificate, and their end."""
