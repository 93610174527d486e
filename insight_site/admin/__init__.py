"""The site's part of the admin. Django discovers its pages through this module."""

from insight_site.admin import api_keys, notices, people, records

__all__ = ["api_keys", "notices", "people", "records", "sidebar"]
