"""What the behaviour does, part by part: who is moved, on which condition, by which acts."""
