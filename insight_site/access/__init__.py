"""Who may call what: the table of routes, API keys, roles."""
