"""Which experiments share units, and whether one changes the effect of another."""
