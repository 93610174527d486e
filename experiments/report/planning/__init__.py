"""Words for planning pages: power of arms, and which test decides fastest."""
