"""Pages under /data/: what comes in, what is in the store, and what people call it."""
