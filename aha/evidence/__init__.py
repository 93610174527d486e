"""Evidence for a candidate: adjusted difference, sensitivity to unmeasured confounding, expected gain."""
