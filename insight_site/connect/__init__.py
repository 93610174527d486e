"""Connect a service: create a source and its key, show a snippet, and detect the first event."""

__all__ = ["first_day", "views", "write_sample"]
