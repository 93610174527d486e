"""The page of a study that is still being computed. Pure."""
