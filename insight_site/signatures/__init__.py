"""Signatures of final analyses, the public keys that verify them, and verification with recomputing."""
