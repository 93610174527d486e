"""Long-running computations of every app: their rows, execution, progress, cancellation, and registry of kinds."""
