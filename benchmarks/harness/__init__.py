"""One harness for every figure of speed: jobs, alternating rounds, the record, the page (docs/performance.md)."""
