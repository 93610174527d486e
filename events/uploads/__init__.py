"""Import by upload: files that people send from their disk, what their columns mean, and the run that imports them."""
