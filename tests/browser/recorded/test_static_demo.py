"""The pages as files: the same words as the site's, links that lead to files, and nothing asked of anybody else."""

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import lxml.html
import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings

from events.outbox.rows import to_table
from events.store import event_table
from insight_site.demo import static_pages
from insight_site.demo.static_pages import Written, file_of, write_copy
from insight_site.pages.tours import TOURS
from tests.aha.explore.small_logs import at, random_rows
from tests.browser.pages import PAGES, STEPS, make_world, path
from tests.browser.test_a11y import violations
from tests.experiments.make import draft
from tests.marks import first_in_ci

# Each is marked so that the fixture of the whole module finds the tests' own database, never the site's.
pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db(transaction=True)]
AGE = re.compile(r"\d+\s(?:seconds?|minutes?)|\d+(?:초|분)")  # the site is asked a little later than the copy was made
GIVEN_UP = "net::ERR_ABORTED"
EXPLORED = ("/explore/retention/", "/explore/funnel/")


@dataclass(frozen=True)
class Copy:
    """A copy, and what the site itself showed of its pages."""

    folder: Path
    written: Written
    site: dict[tuple[str, str], str]
    secrets: tuple[str, ...]


@pytest.fixture(scope="module")
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Copy:
    """Committed, since Explore answers in threads of its own; then the database is emptied, as after each test here."""
    request.getfixturevalue("django_db_setup")
    folder = tmp_path_factory.mktemp("copy")
    kept = {"EVENTS_URL": str(folder / "events"), "EXPLORE_DIR": str(folder / "explore")}
    with django_db_blocker.unblock(), override_settings(**kept):
        try:
            return _made(folder / "copy")
        finally:
            call_command("flush", verbosity=0, interactive=False)
            cache.clear()


def _made(folder: Path) -> Copy:
    cache.clear()
    log = [(user, event, time, "{}", str(n), at(60)) for n, (user, event, time) in enumerate(random_rows(7, users=300))]
    event_table.append(to_table(log), app_id="test", version=1)
    world = make_world()
    draft("guild")
    static_pages.do_nights_work()
    static_pages.be_there()
    written = write_copy(folder, docs="../")
    static_pages.be_there()  # the copy's own sign has left with it
    addresses = [path(name, world) for name in PAGES]
    addresses += [*EXPLORED, *(f"/experiments/guild/plan/{step}/" for step in STEPS), "/data/event/?name=signup"]
    site: dict[tuple[str, str], str] = {}
    clients = {code: _reader(code) for code, _name in settings.LANGUAGES}
    for language, client in clients.items():
        for address in addresses:
            if (folder / language / file_of(address)).is_file():
                site[language, address] = _whole(client, address)
    assert not User.objects.exclude(username="reader").exists()
    sessions = tuple(str(client.session.session_key) for client in clients.values())
    return Copy(folder, written, site, (*sessions, kept_place(folder)))


def kept_place(folder: Path) -> str:
    """Where the store lies on this machine."""
    return str(folder.parent / "events")


def _reader(language: str) -> Client:
    user = User.objects.get_or_create(username="reader")[0]
    seen = Permission.objects.filter(codename__startswith="view_")
    user.user_permissions.set(seen | Permission.objects.filter(codename="change_experiment"))
    client = Client()
    client.force_login(user)
    client.cookies.load({settings.LANGUAGE_COOKIE_NAME: language, "tours": "|".join(TOURS)})
    return client


def _whole(client: Client, address: str) -> str:
    """A page of the site, with the parts that a browser fetches as soon as it is there."""
    page = lxml.html.fromstring(client.get(address, follow=True).content.decode())
    for part in page.xpath("//*[@hx-get][starts-with(@hx-trigger, 'load')]"):
        found = client.get(str(part.get("hx-get")), headers={"HX-Request": "true"})
        if "HX-Refresh" in found:
            return _whole(client, address)
        made = lxml.html.fragment_fromstring(found.content.decode(), create_parent="div")
        if part.get("hx-swap") == "outerHTML":
            part.getparent().replace(part, made)
        else:
            for child in list(part):
                part.remove(child)
            part.text = None
            part.append(made)
    return str(lxml.html.tostring(page, encoding="unicode"))


def words(text: str) -> str:
    """What a reader sees of a page's content, without its controls."""
    (main,) = lxml.html.fromstring(text).xpath("//main")
    for one in main.xpath(".//button | .//input | .//select | .//textarea | .//datalist | .//script"):
        one.drop_tree()
    text = re.sub(r"127\.0\.0\.1|testserver|localhost", "host", main.text_content())
    return " ".join(AGE.sub("a while", text).split())


def pages(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def test_copy__every_page_it_shares_with_the_site__has_the_same_words(copy: Copy) -> None:
    different = {}
    for (language, address), text in copy.site.items():
        file = (copy.folder / language / file_of(address)).read_text(encoding="utf-8")
        said, shown = words(text).replace(kept_place(copy.folder), "the event store"), words(file)
        if said != shown:
            at = next(
                (n for n, (a, b) in enumerate(zip(said, shown, strict=False)) if a != b), min(len(said), len(shown))
            )
            different[language, address] = (said[max(0, at - 60) : at + 90], shown[max(0, at - 60) : at + 90])

    assert not different, "\n".join(map(str, different.items()))
    assert len(copy.site) >= 2 * 35
    assert all("<svg" in copy.site["en", address] for address in EXPLORED)
    assert {"/", *EXPLORED, "/experiments/guild/plan/review/"} <= {address for _language, address in copy.site}


def test_copy__every_address_in_it__is_a_file_of_it(copy: Copy) -> None:
    wrong = []
    for page in pages(copy.folder):
        for element, name, address, _place in lxml.html.fromstring(page.read_text(encoding="utf-8")).iterlinks():
            parts = urlsplit(urldefrag(address).url)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            docs = element.tag == "a" and target in (
                copy.folder.parent / "index.html",
                copy.folder.parent / "ko/index.html",
            )
            if element.tag == "a" and parts.scheme in ("https", "mailto"):
                continue
            if parts.scheme or address.startswith("/") or not (docs or target.is_file()):
                wrong.append((str(page.relative_to(copy.folder)), element.tag, name, address))

    assert wrong == []


def test_copy__whatever_a_server_would_answer__is_off(copy: Copy) -> None:
    left: set[str] = set()
    for page in pages(copy.folder):
        tree = lxml.html.fromstring(page.read_text(encoding="utf-8"))
        left |= {one.tag for one in tree.xpath("//form[@action or @method] | //*[@type='hidden']")}
        left |= {one.tag for one in tree.iter() if any(str(name).startswith("hx-") for name in one.attrib)}
        for one in tree.xpath("//button | //input | //select | //textarea"):
            if "disabled" not in one.attrib and not {"popovertarget", "data-copy"} & set(one.attrib):
                left.add(lxml.html.tostring(one, encoding="unicode")[:80])

    assert left == set()


def test_copy__nothing_of_a_session_or_this_machine__is_in_it(copy: Copy) -> None:
    texts = {page: page.read_text(encoding="utf-8") for page in pages(copy.folder)}
    secret = (*copy.secrets, "csrf", "sessionid", "visitor-of", str(settings.BASE_DIR))

    assert [(str(page), word) for page, text in texts.items() for word in secret if word in text] == []
    assert len(texts) == sum(copy.written.pages.values()) + 3  # what is left out, twice; the first page


def test_copy__both_languages__lead_to_each_other_page_by_page(copy: Copy) -> None:
    assert copy.written.pages["en"] == copy.written.pages["ko"] <= 300
    for page in pages(copy.folder / "en"):
        place = page.relative_to(copy.folder / "en")
        tree = lxml.html.fromstring(page.read_text(encoding="utf-8"))
        (other,) = tree.xpath("//nav[@class='choice']/a[@lang='ko']")

        assert (page.parent / other.get("href")).resolve() == copy.folder / "ko" / place
        assert tree.xpath("//link[contains(@href, 'recorded.css')]")
        assert "A recorded demo: nothing can be changed here." in tree.xpath("string(//aside[@class='recorded'])")


@pytest.fixture(scope="module")
def served(copy: Copy) -> Iterator[str]:
    """The copy in a folder of a server."""
    handler = functools.partial(Quiet, directory=str(copy.folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/copy/"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
@pytest.mark.parametrize("way", ["file", "http"])
def test_copy__in_a_browser__asks_nobody_else_and_has_no_serious_violation(
    chromium: Any, copy: Copy, served: str, language: str, way: str
) -> None:
    began = served if way == "http" else f"{copy.folder.as_uri()}/"
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    found: list[str] = []
    wide: list[str] = []
    page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    # A file's icon is given up where the next page is opened before it has come.
    page.on("requestfailed", lambda r: troubles.append(f"{r.failure} {r.url}") if r.failure != GIVEN_UP else None)
    page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith((began, "data:")) else None)
    kinds = sorted({file_of(address) for code, address in copy.site if code == language})

    for place, name in enumerate(("../index.html", "about.html", *kinds)):
        page.goto(f"{began}{language}/{name}")
        if way == "http" and (language == "en" or place % 6 == 1):  # a page is built alike in both languages
            found += violations(page)
            page.set_viewport_size({"width": 390, "height": 800})
            wide += [name] if page.evaluate("document.documentElement.scrollWidth") > 390 else []
            page.set_viewport_size({"width": 1280, "height": 900})
    context.close()

    assert troubles == []
    assert found == []
    assert wide == []


def test_switch__of_a_page_deep_in_the_copy__opens_the_same_page_in_korean(chromium: Any, copy: Copy) -> None:
    page = chromium.new_page()
    page.goto(f"{copy.folder.as_uri()}/index.html")
    page.locator("a[lang=ko]").click()
    page.locator("nav a", has_text="실험").first.click()
    page.locator("#rows a").first.click()
    before = page.url
    page.locator("nav.choice a[lang=en]").click()

    assert page.url == before.replace("/ko/", "/en/") != before
    page.close()


def test_folder__of_somebody_else__is_left_alone(copy: Copy, tmp_path: Path) -> None:
    from runs.refusals import Refused

    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(Refused, match="other files"):
        write_copy(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
