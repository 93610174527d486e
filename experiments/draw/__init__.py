"""Which arm a unit draws. Pure: bit-identical to the GrowthBook SDKs."""

__all__ = ["bucketing", "evaluation", "many_units"]
