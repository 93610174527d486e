"""The page of a segmentation that is still being computed. Pure."""
