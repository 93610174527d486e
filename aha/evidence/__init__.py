"""How far a correlation may be trusted: what is left when more is held equal, and how strong a hidden cause must be."""
