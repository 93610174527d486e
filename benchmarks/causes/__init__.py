"""Proofs of what experiments say about causes: pools, policies, saturations, decisions, searched designs."""
