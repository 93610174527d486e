"""What every subject of the audit shares: a figure with its bound, and the list of subjects."""
