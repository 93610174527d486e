"""What a study shows of itself before its end. Pure."""
