"""What is in the event store: names, counts, properties, and what people call them."""
