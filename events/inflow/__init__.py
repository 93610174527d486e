"""Are events coming in? Sources, the way to the store, and the last events that came."""
