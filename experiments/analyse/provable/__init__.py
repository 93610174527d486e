"""What a final analysis was made of, so that anyone with its data can compute it again, and the comparison then."""
