"""The language of an account: chosen once, the same on every machine."""

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.views.i18n import set_language

from insight_site.models import Preference
from insight_site.pages.preferences import forget_tours, take_up


def choose_language(request: HttpRequest) -> HttpResponse:
    """Django's own language switch, which sets a cookie; for a logged-in user it is also stored with the account."""
    response = set_language(request)
    language = request.POST.get("language", "")
    if request.method == "POST" and request.user.is_authenticated and language in dict(settings.LANGUAGES):
        Preference.objects.update_or_create(user=request.user, defaults={"language": language})
    return response


def take_up_choices(response: HttpResponse, user: User) -> None:
    """After a login, apply the account's stored language and theme to this browser."""
    preference = Preference.objects.filter(user=user).first()
    if preference is None:
        forget_tours(response)  # of the previous user of this browser
        return
    take_up(response, preference)
    if preference.language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            preference.language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            path=settings.LANGUAGE_COOKIE_PATH,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
