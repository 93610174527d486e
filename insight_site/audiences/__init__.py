"""Audiences out: who is in a segment, or reached a moment, as other systems are told of it."""
