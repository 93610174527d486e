"""Who shares units with whom, and whether one experiment changes what another does."""
