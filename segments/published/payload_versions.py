"""What is stored of published models back to its records, whatever version wrote it. Pure."""

from runs.payloads import Schema
from segments.published.run_results import Baseline, ComparisonResult, DriftResult

COMPARISON, BASELINE, DRIFT = Schema(ComparisonResult), Schema(Baseline), Schema(DriftResult)
