"""The demo: the whole loop over made-up users with known truth, through the endpoints that real users use."""

__all__ = ["loop", "static_pages", "summary", "team", "texts", "whose_site"]
