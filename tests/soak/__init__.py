"""Years of a ward in virtual time under seeded faults, and what must hold whatever happens: ``./run soak``."""
