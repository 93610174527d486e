"""Whether there are groups at all: each part asks another way."""
