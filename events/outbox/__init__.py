"""From an accepted event to the store: accept, flush, set aside what the store refuses, and whose store it is."""
