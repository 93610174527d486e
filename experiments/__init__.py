"""Experiments: plan, assignment, analysis, verdict. They decide whether a behaviour causes retention."""
