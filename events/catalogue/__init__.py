"""The catalogue of the event store: event names, counts, properties, and display names."""
