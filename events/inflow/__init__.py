"""Event inflow: status of sources, the pipeline to the store, and the latest events."""
