"""One comparison of arms, asked of a file's rows or of a warehouse's moments: the same questions."""
