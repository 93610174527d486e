"""Pages under /data/: inflow, contents of the store, and labels."""
