"""What a holdout report says: the difference, beside it the sum of the single findings, and what was planned."""
