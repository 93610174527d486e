"""Several experiments together: whether one changes what another does, and what the shipped ones add up to."""
