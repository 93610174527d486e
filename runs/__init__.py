"""Long computations of every app: the row, how it is computed, followed and stopped, and which kinds there are."""
