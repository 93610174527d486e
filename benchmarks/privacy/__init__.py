"""Proofs of docs/privacy.md."""
