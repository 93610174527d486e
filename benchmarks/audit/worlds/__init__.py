"""The worlds that several subjects of the audit look at."""
