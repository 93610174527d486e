"""Planting: outcomes with known truth on real users' counts, and a nudge assigned by hash. Pure, without Django."""
