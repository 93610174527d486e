"""The demo's pages as files: read as a person reads them, and written so that no server is needed."""
