"""What leaves the site: reports, pictures, signed results, definitions."""

__all__ = [
    "api",
    "check_final",
    "check_map",
    "copy_definition",
    "definition",
    "file_report",
    "pictures",
    "sign",
    "takeaway",
    "views",
]
