"""What the analysis of a stored experiment asks the warehouse, and which exposures count."""
