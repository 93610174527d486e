"""Which arm a unit draws. Pure: the same bits as the GrowthBook SDKs."""
