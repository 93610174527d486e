"""What can be done with events: `accept` them, `flush` them to the store, `forget` a user."""
