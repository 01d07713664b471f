"""A broker, a server and a network in an attacker's hands: whatever he does, only what was ordered sounds."""
