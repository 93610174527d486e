"""Pure statistics: frozen summaries in, frozen results out. Nothing here knows Django."""
