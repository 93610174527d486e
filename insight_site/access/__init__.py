"""Access control: the permission table of routes, API keys, roles."""
