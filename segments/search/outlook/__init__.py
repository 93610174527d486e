"""What a search for groups would do, before it starts."""
