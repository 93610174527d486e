"""Figures that the audit of 0.4 asks for: a module a finding, as `benchmarks/audit_figures.py` says."""
