"""What the pages of Explore say and draw: one file a view. Numbers in, words and pictures out."""
