"""Which test decides soonest? Designs of a test of one behaviour, with the days that each needs."""
