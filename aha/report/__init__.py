"""Reports of studies and moments: sentences, tables, charts, JSON documents."""

__all__ = [
    "adjusted",
    "candidates_table",
    "cells",
    "chance",
    "claim",
    "cohort",
    "document",
    "early",
    "honesty",
    "moment_page",
    "page",
    "past",
    "ranking",
    "reach",
    "venn_page",
]
