"""Parts on the behaviour: who is moved, under which conditions, by which acts."""
