"""From nothing to the first event: a source, its key, a snippet, and the moment at which the event arrives."""
