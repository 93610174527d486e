"""Published segments: versions, membership, drift, and rule segments."""
