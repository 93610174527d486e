"""The site's part of the admin. Django discovers its pages through this module."""

from insight_site.admin import api_keys, erasures, notices, people, queue, records, sign_ins

__all__ = ["api_keys", "erasures", "notices", "people", "queue", "records", "sign_ins"]
