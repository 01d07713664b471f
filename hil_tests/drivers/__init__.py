"""How a bench sees and touches its parts: one driver a kind of part, behind the same few methods on every bench."""
