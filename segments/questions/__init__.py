"""The question of a segmentation before it starts: what would refuse, whom it would look at."""
