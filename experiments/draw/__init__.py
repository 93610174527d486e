"""Which arm a unit draws. Pure: bit-identical to the GrowthBook SDKs."""
