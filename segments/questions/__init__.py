"""The question of a segmentation before it starts."""
