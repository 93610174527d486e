"""Planting: outcomes with known truth on the counts of real users, and a nudge by hash. Pure, without Django."""
