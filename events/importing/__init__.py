"""Files of events: what their columns mean, whether they are whole, and their way into the store."""
