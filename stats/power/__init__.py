"""Sample size and power of a plan, with several comparisons and looks."""

__all__ = ["family_and_looks", "sample_size", "with_guardrails", "with_others"]
