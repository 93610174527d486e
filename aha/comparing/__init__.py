"""Two studies side by side: what they ask, whom they look at, and what each of them finds."""
