"""Pure statistics: frozen summaries in, frozen results out. Independent of Django."""
