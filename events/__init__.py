"""What happened: events in, kept, and asked through one warehouse door."""
