"""Groups that others may use: versions, membership, drift, and segments that are written as rules."""
