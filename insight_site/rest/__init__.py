"""What every endpoint of the management API shares."""
