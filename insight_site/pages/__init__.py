"""Pages that belong to no app: home, glossary, language, health and errors."""

__all__ = [
    "downloads",
    "error_pages",
    "glossary",
    "glossary_terms",
    "landing",
    "method_pages",
    "preferences",
    "searching",
    "spent",
    "time_zones",
    "tours",
    "views",
]
