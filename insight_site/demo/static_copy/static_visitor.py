"""A temporary account that may view every page and changes nothing; it exists only during the recording."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client

from events import store
from insight_site.demo.static_copy.static_html import with_loads
from insight_site.help.tours import TOURS
from insight_site.pages.preferences import TOURS_COOKIE
from runs.refusals import Refused

NAME = "visitor-of-the-recording"
STEPS = "change_experiment"  # the steps of a draft are shown only to people who may plan; the visitor only reads them
PATIENCE_SECONDS = 120.0  # timeout of one Explore query
READ_AGAIN = 3  # limit on reloads: a page whose parts request one after they have counted something
WAITS, FAILED = 'aria-busy="true"', "data-failed"  # templates/aha/explore/answer.html
PLACE = "the event store"  # replaces the path of the data folder on this machine


class Visitor:
    """Reads pages in one language."""

    def __init__(self, user: User, language: str) -> None:
        host = next((name for name in settings.ALLOWED_HOSTS if name.strip("*.")), "localhost")
        self.client = Client(SERVER_NAME=host)
        self.client.force_login(user)
        self.client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        self.client.cookies[TOURS_COOKIE] = "|".join(TOURS)
        self.asked_again = False

    def answer(self, address: str, *, part: bool = False) -> Any:
        """The response to an address, as an htmx request where it is a part of a page."""
        headers = {"HX-Request": "true"} if part else {}
        return self.client.get(address, headers=headers, secure=settings.SECURE_SSL_REDIRECT)

    def page(self, address: str) -> tuple[str, str]:
        """The final address after redirects, and its page with complete answers and all parts loaded.

        Raises:
            Refused: the visitor can't open the page, or its answer doesn't come.
        """
        text = ""
        for _ in range(READ_AGAIN):
            self.asked_again = False
            address, page = self._answered(address)
            text = with_loads(page, partial(self._part, address))
            if not self.asked_again:
                break
        return address, text

    def _answered(self, address: str) -> tuple[str, str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self.answer(address)).status_code in (301, 302):
            address = urljoin(address, found["Location"])
        while WAITS in (text := self._text(address, found)):
            if time.monotonic() > deadline:
                raise Refused("{address} has no answer after {n} seconds.", address=address, n=round(PATIENCE_SECONDS))
            time.sleep(0.2)
            found = self.answer(address)
        if FAILED in text:
            raise Refused("The answer of {address} could not be computed; the log says why.", address=address)
        return address, text

    def _part(self, page: str, link: str) -> str | None:
        """A part of a page; None if nothing changes, or the part asks for a reload."""
        address = urljoin(page, link)
        found = self.answer(address, part=True)
        self.asked_again |= "HX-Refresh" in found
        return None if found.status_code == 204 else self._text(address, found)

    def secrets(self) -> tuple[str, ...]:
        """Texts of this session and this machine that must not appear in the copy."""
        session = self.client.session.session_key or NAME
        return NAME, session, "csrfmiddlewaretoken", str(settings.BASE_DIR), str(settings.VAR_DIR)

    def _text(self, address: str, found: Any) -> str:
        if found.status_code != 200:
            raise Refused("{address} answers {status}.", address=address, status=found.status_code)
        return str(found.content.decode()).replace(store.shown_url(), PLACE)


@contextmanager
def visitors() -> Iterator[dict[str, Visitor]]:
    """One visitor per language; their account is deleted afterwards.

    Not inside a transaction: other threads compute Explore's answers, and flush the outbox to the store.
    """
    user = User.objects.create_user(NAME)
    try:
        user.user_permissions.set(
            Permission.objects.filter(codename__startswith="view_") | Permission.objects.filter(codename=STEPS)
        )
        yield {language: Visitor(user, language) for language, _name in settings.LANGUAGES}
    finally:
        Session.objects.filter(pk__in=_sessions_of(user)).delete()
        user.delete()


def _sessions_of(user: User) -> list[str]:
    return [row.pk for row in Session.objects.all() if row.get_decoded().get("_auth_user_id") == str(user.pk)]
