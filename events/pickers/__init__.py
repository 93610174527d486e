"""Form fields to pick events, behaviours, retention and outcomes: with autocomplete and in words."""

__all__ = [
    "base_rate",
    "catalogue_metrics",
    "definition_parts",
    "fields",
    "known_names",
    "quick_fixes",
    "rows",
    "sources",
]
