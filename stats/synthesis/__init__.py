"""Several experiments as one body of evidence: their spread, and the difference of two."""
