"""Evidence for a candidate: its difference among users who are alike, how strong a hidden cause must be, its worth."""
