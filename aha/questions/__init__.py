"""The question of a study before it starts: defaults that fit the data, what would happen, what would refuse."""
