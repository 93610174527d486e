"""What people read while they plan: what arms could tell, which test decides soonest."""
