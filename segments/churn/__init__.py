"""Who of a segment is likely to leave."""
