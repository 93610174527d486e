"""Many experiments, one behaviour: the parts of `stats.instrument.pooled`."""
