"""How many units a plan needs, and what several comparisons and looks cost."""
