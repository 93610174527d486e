"""Sample size and power of a plan, with several comparisons and looks."""
