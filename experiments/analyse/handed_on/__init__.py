"""Findings that a final analysis adds to the behaviour it tested: moments that can be pooled with others."""
