"""How numbers, tables, charts and documents look, for all apps. Pure."""
