"""Routes of notices. Each name has its rule in `insight_site.access.permissions`."""

from datetime import date

from django.urls import path, register_converter
from django.views.decorators.csrf import csrf_exempt

from runs.later import views_of

pages = views_of("insight_site.notices.views")


class Day:
    """A day as YYYY-MM-DD; an invalid date raises ValueError, which becomes a 404."""

    regex = r"\d{4}-\d{2}-\d{2}"
    to_python = staticmethod(date.fromisoformat)

    @staticmethod
    def to_url(value: date) -> str:
        """As it stands in the address."""
        return value.isoformat()


register_converter(Day, "day")
urlpatterns = [
    path("account/notices/", pages.notices, name="notices"),
    path("account/notices/places/", pages.add_address, name="notices_add"),
    path("account/notices/places/<int:pk>/", pages.change_place, name="notices_place"),
    # A mail program calls it for its reader (RFC 8058) and has no cookie; the token identifies the reader.
    path("notices/stop/<str:token>/", csrf_exempt(pages.stop_page), name="notices_stop"),
    path("digest/", pages.digest, name="digest"),
    path("digest/to-me/", pages.digest_to_me, name="digest_to_me"),
    path("digest/<day:week>/", pages.digest_week, name="digest_week"),
    path("digest/<day:week>/share/", pages.share_digest, name="digest_share"),
]
