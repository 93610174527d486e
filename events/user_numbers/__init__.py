"""Users by number: a dictionary kept in the event store, how rows get their numbers, and how two users are joined."""
