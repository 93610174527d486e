"""A study: find candidates, "behaviour X at least Z times within Y days", in new users' events, with their evidence."""

__all__ = [
    "candidates",
    "cells",
    "choice",
    "discover",
    "gather",
    "grid",
    "headline",
    "hold_out",
    "null",
    "numbers",
    "payload_versions",
    "population",
    "preliminary",
    "queries",
    "question",
    "report_columns",
    "result",
    "step",
    "studies",
    "window_guard",
]
