"""The parts of one candidate: why this number, and what speaks for it."""
