"""A static copy of the demo's pages: rendered as a reader sees them, and written as files that need no server."""
