"""What an operator waits for: a backup and a restore."""
