"""Render every page of the copy and write it with its pictures and styles, and with an index of its content."""

import os.path
import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext

from insight_site.demo.static_copy.nights_work import be_there, do_nights_work, leave
from insight_site.demo.static_copy.static_html import Frame, as_file, links
from insight_site.demo.static_copy.static_places import MOST_PAGES, file_of, left_out, page_of, picture_of
from insight_site.demo.static_copy.static_visitor import Visitor, visitors
from runs.refusals import Refused

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
    with visitors() as found:
        do_nights_work()
        read = {language: _read(visitor) for language, visitor in found.items()}
        for language, visitor in found.items():
            _Tree(folder, language, visitor, read, docs).write()
    leave()
    _write_first_page(folder)
    (folder / LIST).write_text(_list(folder), encoding="utf-8")
    files = sum(path.is_file() for path in folder.rglob("*"))
    return Written(
        {language: len(one.pages) for language, one in read.items()}, files, max(one.over for one in read.values())
    )


def _read(visitor: Visitor) -> Read:
    """All pages reachable from the first one, by number of clicks."""
    be_there()
    found, waiting, seen = Read(), deque(["/"]), {"/"}
    while waiting:
        asked = waiting.popleft()
        if len(found.pages) >= MOST_PAGES:
            found.over += 1
            continue
        address, text = visitor.page(asked)
        page = page_of(address)
        if page is None:  # redirected to a page that isn't copied
            continue
        if page != asked:
            found.moved[asked] = page
            seen.add(page)
        if page in found.pages:
            continue
        found.pages[page] = text
        for link in links(text):
            page = page_of(urldefrag(urljoin(address, link)).url)
            if page is not None and page not in seen:
                seen.add(page)
                waiting.append(page)
    return found


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
            said = render_to_string("insight_site/recorded_about.html", {"left_out": left_out(), "over": self.own.over})
            self._write("about.html", "/about", first[:before] + said + first[after + len("</main>") :])

    def _write(self, name: str, page: str, text: str) -> None:
        place = f"{self.language}/{name}"

        def linked(address: str) -> str | None:
            return self._linked(place, page, address)

        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        made = as_file(text, self._frame(place, page), linked)
        if found := [secret for secret in self.visitor.secrets() if secret in made]:
            raise Refused("{place} would hold “{text}”, which no copy may.", place=place, text=found[0])
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
            off=gettext("Switched off in this recording: it needs a server."),
            missing=gettext("This page is not part of the recording."),
        )

    def _linked(self, place: str, page: str, address: str) -> str | None:
        whole, mark = urldefrag(urljoin(page, address))
        if (found := self._page(whole)) is not None:
            return _from(place, f"{self.language}/{file_of(found)}") + (f"#{mark}" if mark else "")
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
