"""The site: settings, routes, access and rendering. It may import everything; nobody imports it."""
