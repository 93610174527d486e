"""The demo's pages as files that need no server: which, read by whom, with what they show, and a list of them."""

import os.path
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urldefrag, urljoin, urlsplit
from zlib import crc32

from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import Client
from django.urls import Resolver404, resolve
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from aha.moments import reach
from events.catalogue import refresh
from events.store import event_table
from insight_site.demo.static_html import Frame, as_file, links, with_loads
from insight_site.exports.pictures import draw_run
from insight_site.pages import landing
from insight_site.pages.preferences import TOURS_COOKIE
from insight_site.pages.tours import TOURS
from insight_site.tidying import untidy
from reporting.words import gettext
from runs.kinds import all_kinds
from runs.models import Run
from runs.queue import status
from runs.refusals import Refused

# Which pages a copy holds, and the file of each. Addresses are those of the site, without its host.

# Routes whose pages are copied, and the query parameters that select another page.
PAGES: dict[str, tuple[str, ...]] = {
    "home": (),
    "glossary": (),
    "spent": (),
    "whats_new": (),
    "methods": (),
    "method": (),
    "events:overview": (),
    "events:list": (),
    "events:event": ("name",),
    "events:live": (),
    "events:calendar": (),
    "events:metrics": (),
    "events:metric": (),
    "events:metric_check": (),
    "explore:start": (),
    "explore:view": (),
    "segments:list": (),
    "segments:run": ("tab",),
    "segments:model": (),
    "segments:segment": (),
    "segments:churn": (),
    "segments:comparison": (),
    "aha:studies": (),
    "aha:study": ("tab",),
    "aha:candidate": ("tab",),
    "aha:moments": (),
    "aha:moment": ("tab",),
    "launches:balances": (),
    "launches:balance": (),
    "launches:list": (),
    "launches:launch": (),
    "launches:reading": (),
    "growth:newest": (),
    "growth:forecast": (),
    "experiments:list": ("view",),
    "experiments:calendar": (),
    "experiments:six_weeks": ("weeks",),
    "experiments:calibration": (),
    "experiments:causes_map": (),
    "experiments:holdouts": (),
    "experiments:holdout": (),
    "experiments:holdout_reading": (),
    "experiments:judged": (),
    "experiments:overlap_report": (),
    "experiments:reviews": (),
    "experiments:templates": (),
    "experiments:template": (),
    "experiments:report": (),
    "experiments:part": (),
    "experiments:analysis": (),
    "experiments:analysis_part": (),
    "experiments:preview": ("verdict",),
    "experiments:memo": ("language",),
    "experiments:health": (),
    "experiments:plan": (),
    "experiments:step": (),
    "experiments:setup": (),
    "experiments:history": (),
    "experiments:rollout": (),
}
ENDINGS = {"image": "", "dark": "", "csv": ".csv", "svg": ".svg", "json": ".json"}  # of files, by format
MOST_PAGES = 300  # of one language


def left_out() -> tuple[str, ...]:
    """What a copy leaves out, in sentences of the reader's language."""
    return (
        gettext("Forms that make or change something: new studies, segmentations, plans, metrics and audiences."),
        gettext("Lists that were filtered, sorted or searched, and answers of Explore to another question."),
        gettext("Charts as PNG, reports as one file, and lists of users."),
        gettext("What a person sees of the own account: sign-in, notices, keys, the weekly digest."),
        gettext("The admin and the REST interface."),
    )


def page_of(address: str) -> str | None:
    """The address from which a page of the copy is read; None if it isn't in the copy."""
    parts = urlsplit(address)
    try:
        name = resolve(parts.path).view_name
    except Resolver404:
        return None
    query = parse_qsl(parts.query, keep_blank_values=True)
    if name not in PAGES or any(key not in PAGES[name] for key, _value in query):
        return None
    return parts.path + (f"?{parts.query}" if parts.query else "")


def file_of(page: str) -> str:
    """A page's file below the folder of its language."""
    parts = urlsplit(page)
    folder = "/".join(_plain(unquote(part)) for part in parts.path.split("/") if part)
    name = "-".join(_plain(word) for pair in parse_qsl(parts.query) for word in pair) or "index"
    return f"{folder}/{name}.html" if folder else f"{name}.html"


def picture_of(address: str) -> tuple[str, str] | None:
    """The file of a picture or its data, and the extension that its address lacks; None if it isn't copied."""
    path = urlsplit(address).path
    try:
        match = resolve(path)
    except Resolver404:
        return None
    kind = match.kwargs.get("kind")
    if match.view_name != "picture" or kind not in ENDINGS:
        return None
    return path.lstrip("/").removesuffix(f".{kind}") + f"-{kind}", ENDINGS[kind]


def _plain(text: str) -> str:
    """A file name that is safe everywhere; different texts get different names."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", text):
        return text
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', text).strip('-') or 'x'}-{crc32(text.encode()):08x}"


# The nightly work of a worker, done for the recording: event catalogue, stored figures, charts.

NIGHTS_WORK_NAME = "recording"


def do_nights_work() -> None:
    """Compute the figures and charts that pages show but never compute themselves."""
    refresh.make_catalogue()
    reach.count_all()
    untidy.count_hygiene()
    landing.count_retention()
    for kind in all_kinds():
        for pk in kind.run_class._default_manager.filter(status=Run.Status.DONE).values_list("pk", flat=True):
            draw_run(kind.run_class._meta.label, pk)


def leave() -> None:
    """Remove the heartbeat of `be_there`."""
    status.leave(NIGHTS_WORK_NAME)


def be_there() -> None:
    """Record a heartbeat like a worker, since the recording process does a worker's jobs."""
    status.sign(NIGHTS_WORK_NAME, timezone.now())


# A temporary account that may view every page and changes nothing; it exists only during the recording.

STATIC_VISITOR_NAME = "visitor-of-the-recording"
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
        for _time in range(READ_AGAIN):
            self.asked_again = False
            address, page = self._answered(address)
            text = with_loads(page, partial(self._part, address))
            if not self.asked_again:
                break
        return address, text

    def _answered(self, address: str) -> tuple[str, str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (response := self.answer(address)).status_code in (301, 302):
            address = urljoin(address, response["Location"])
        while WAITS in (text := self._text(address, response)):
            if time.monotonic() > deadline:
                raise Refused("{address} has no answer after {n} seconds.", address=address, n=round(PATIENCE_SECONDS))
            time.sleep(0.2)
            response = self.answer(address)
        if FAILED in text:
            raise Refused("The answer of {address} could not be computed; the log says why.", address=address)
        return address, text

    def _part(self, page: str, link: str) -> str | None:
        """A part of a page; None if nothing changes, or the part asks for a reload."""
        address = urljoin(page, link)
        response = self.answer(address, part=True)
        self.asked_again |= "HX-Refresh" in response
        return None if response.status_code == 204 else self._text(address, response)

    def secrets(self) -> tuple[str, ...]:
        """Texts of this session and this machine that must not appear in the copy."""
        session = self.client.session.session_key or STATIC_VISITOR_NAME
        return STATIC_VISITOR_NAME, session, "csrfmiddlewaretoken", str(settings.BASE_DIR), str(settings.VAR_DIR)

    def _text(self, address: str, response: Any) -> str:
        if response.status_code != 200:
            raise Refused("{address} answers {status}.", address=address, status=response.status_code)
        return str(response.content.decode()).replace(event_table.shown_url(), PLACE)


@contextmanager
def visitors() -> Iterator[dict[str, Visitor]]:
    """One visitor per language; their account is deleted afterwards.

    Not inside a transaction: other threads compute Explore's answers, and flush the outbox to the store.
    """
    user = User.objects.create_user(STATIC_VISITOR_NAME)
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


# Render every page of the copy and write it with its pictures and styles, and with an index of its content.

LIST = "pages.txt"  # marker file: a folder that holds it may be overwritten
STYLE = "insight_site/recorded.css"
FILES = "files"


@dataclass
class Read:
    """The pages of one language.

    Attributes:
        pages: HTML by address.
        moved: addresses that redirect to others of them.
        over: number of pages beyond the limit.
    """

    pages: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    over: int = 0


@dataclass(frozen=True)
class Written:
    """Size of a copy: pages per language, all files, and pages beyond the limit."""

    pages: dict[str, int]
    files: int
    over: int


def write_copy(folder: Path, *, docs: str = "") -> Written:
    """Write the site's pages as files.

    Args:
        folder: a new or empty folder, or an earlier copy.
        docs: address of the documentation, relative to the folder or absolute; "" for the copy's own method pages.

    Raises:
        Refused: the folder holds something else, or a page can't be read.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / LIST).is_file():
        raise Refused("{folder} holds other files: name a new folder.", folder=str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    with visitors() as by_language:
        do_nights_work()
        read = {language: _read(visitor) for language, visitor in by_language.items()}
        for language, visitor in by_language.items():
            _Tree(folder, language, visitor, read, docs).write()
    leave()
    _write_first_page(folder)
    (folder / LIST).write_text(_list(folder), encoding="utf-8")
    files = sum(path.is_file() for path in folder.rglob("*"))
    return Written(
        {language: len(copy.pages) for language, copy in read.items()}, files, max(copy.over for copy in read.values())
    )


def _read(visitor: Visitor) -> Read:
    """All pages reachable from the first one, by number of clicks."""
    be_there()
    copy, waiting, seen = Read(), deque(["/"]), {"/"}
    while waiting:
        path = waiting.popleft()
        if len(copy.pages) >= MOST_PAGES:
            copy.over += 1
            continue
        address, text = visitor.page(path)
        page = page_of(address)
        if page is None:  # redirected to a page that isn't copied
            continue
        if page != path:
            copy.moved[path] = page
            seen.add(page)
        if page in copy.pages:
            continue
        copy.pages[page] = text
        for link in links(text):
            page = page_of(urldefrag(urljoin(address, link)).url)
            if page is not None and page not in seen:
                seen.add(page)
                waiting.append(page)
    return copy


class _Tree:
    """The files of one language."""

    def __init__(self, folder: Path, language: str, visitor: Visitor, read: dict[str, Read], docs: str) -> None:
        self.folder, self.language, self.visitor, self.read, self.docs = folder, language, visitor, read, docs
        self.own = read[language]

    def write(self) -> None:
        """Write every page, and the page for missing ones."""
        with translation.override(self.language):
            for page, text in self.own.pages.items():
                self._write(file_of(page), page, text)
            first = self.own.pages["/"]
            before, after = first.index("<main"), first.index("</main>")
            about = render_to_string(
                "insight_site/recorded_about.html", {"left_out": left_out(), "over": self.own.over}
            )
            self._write("about.html", "/about", first[:before] + about + first[after + len("</main>") :])

    def _write(self, name: str, page: str, text: str) -> None:
        place = f"{self.language}/{name}"

        def linked(address: str) -> str | None:
            return self._linked(place, page, address)

        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        made = as_file(text, self._frame(place, page), linked)
        if leaked := [secret for secret in self.visitor.secrets() if secret in made]:
            raise Refused("{place} would hold “{text}”, which no copy may.", place=place, text=leaked[0])
        path.write_text(made, encoding="utf-8")

    def _frame(self, place: str, page: str) -> Frame:
        others = [
            {
                "code": code,
                "address": _from(place, f"{code}/{file_of(page) if page in other.pages else _other(page)}"),
                "here": code == self.language,
            }
            for code, other in self.read.items()
        ]
        docs = self.docs and self.docs + ("index.html" if self.language == "en" else f"{self.language}/index.html")
        if docs and not urlsplit(docs).scheme:
            docs = _from(place, docs)
        context = {"docs": docs or _from(place, f"{self.language}/methods/index.html")}
        context["about"] = _from(place, f"{self.language}/about.html")
        return Frame(
            style=_from(place, self._style(STYLE)),
            banner=render_to_string("insight_site/recorded_banner.html", context),
            languages=render_to_string("insight_site/recorded_languages.html", {"languages": others}),
            off=_("Switched off in this recording: it needs a server."),
            missing=_("This page is not part of the recording."),
        )

    def _linked(self, place: str, page: str, address: str) -> str | None:
        whole, mark = urldefrag(urljoin(page, address))
        if (target := self._page(whole)) is not None:
            return _from(place, f"{self.language}/{file_of(target)}") + (f"#{mark}" if mark else "")
        if whole.startswith(f"/{settings.STATIC_URL.lstrip('/')}"):
            return _from(place, self._style(whole.split(settings.STATIC_URL, 1)[1]))
        return _from(place, picture) if (picture := self._picture(whole)) else None

    def _page(self, address: str) -> str | None:
        page = page_of(address)
        page = self.own.moved.get(page, page) if page else None
        return page if page in self.own.pages else None

    def _style(self, name: str) -> str:
        """Copy a style sheet, script or icon."""
        place = f"{FILES}/{name}"
        source = finders.find(name)
        if source is None:
            raise Refused("There is no static file {name}.", name=name)
        _once(self.folder / place, Path(str(source)).read_bytes)
        return place

    def _picture(self, address: str) -> str | None:
        named = picture_of(address)
        if named is None:
            return None
        answer = self.visitor.answer(address)
        if answer.status_code != 200:
            return None
        ending = named[1] or (".svg" if answer["Content-Type"].startswith("image/svg") else ".png")
        place = f"{FILES}/{named[0]}{ending}"
        _once(self.folder / place, lambda: answer.content)
        return place


def _other(page: str) -> str:
    """Target of the language switch on a page that the other language lacks."""
    return "about.html" if page == "/about" else "index.html"


def _once(path: Path, content: Callable[[], bytes]) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content())


def _from(place: str, target: str) -> str:
    """A relative address, so that the copy may be served anywhere."""
    return os.path.relpath(target, os.path.dirname(place) or ".").replace(os.sep, "/")


def _write_first_page(folder: Path) -> None:
    """Write the page that offers both languages."""
    (folder / "index.html").write_text(
        render_to_string("insight_site/recorded_start.html", {"files": FILES}), encoding="utf-8"
    )


def _list(folder: Path) -> str:
    """An index of the copy's pages, and of what it leaves out."""
    pages = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
    with translation.override("en"):
        return "\n".join([*pages, "", "Left out:", *(f"* {text}" for text in left_out()), ""])
