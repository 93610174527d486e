"""Which running experiments a plan would share units with."""
