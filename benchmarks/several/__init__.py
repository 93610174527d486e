"""Proofs about several experiments together: the holdout report, and interactions."""
