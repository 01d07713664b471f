"""What the thief of each key can do, and that he can do no more: the table of docs/protocol.md 12.30, tried out."""
