"""The jobs, one a file; `python -m benchmarks.jobs` runs them."""
