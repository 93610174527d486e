"""How long units stay: Kaplan-Meier, log-rank, restricted mean, the share active on each day."""
