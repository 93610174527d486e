"""The built documentation in a real Chromium: nothing from elsewhere, no serious violation, words are found."""

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as TooLong

from tests.browser.conftest import chromium
from tests.browser.test_a11y import AXE, CONTRAST, RULES, violations
from tests.conftest import missing
from tools.docs_site import afterwards
from tools.docs_site.links import wrong_links

__all__ = ["chromium"]
pytestmark = pytest.mark.docs
ROOT = Path(__file__).resolve().parent.parent.parent
SITE = ROOT / "var" / "docs" / "site"
VERSION = afterwards.version_of((ROOT / "CHANGELOG.md").read_text("utf-8"))
BUILT = SITE / VERSION
# One of each kind, the shorter ones: axe takes seconds for a page of 20,000 elements and finds the same in it.
KINDS = (
    "index", "how-to/use-an-existing-flag-tool", "explanation/what-a-verdict-means", "survival", "decision",
    "reference/settings", "reference/rest/metrics", "reference/payloads/drift", "reference/glossary",
)  # fmt: skip
WIDTHS = (390, 1280)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    if not (BUILT / "index.html").is_file():
        missing("the built documentation (make docs)")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def open_built(chromium: Any, address: str) -> Iterator[Any]:
    """`open_built(scheme)`: a watched page; errors of its console and requests elsewhere fail the test."""
    if not AXE.is_file():
        missing("axe-core (make clients)")
    troubles: list[str] = []
    contexts = []

    def new(scheme: str = "light") -> Any:
        context = chromium.new_context(base_url=f"{address}/{VERSION}/", color_scheme=scheme, reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: troubles.append(f"{page.url}: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e: troubles.append(f"{page.url}: {e}"))
        page.on(
            "request",
            lambda r: (
                troubles.append(f"elsewhere: {r.url}") if not r.url.startswith((address, "data:", "blob:")) else None
            ),
        )
        return page

    yield new
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.mark.parametrize("language", ["", "ko/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages__of_each_kind__have_no_serious_violation_and_fit(open_built: Any, language: str, scheme: str) -> None:
    page = open_built(scheme)
    found, wide = [], {}

    for name in KINDS:
        page.goto(f"{language}{name}.html")
        page.locator(".versions select").wait_for()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if (seen := page.evaluate("document.documentElement.scrollWidth")) > width:
                wide[name, width] = seen
        found += violations(page, RULES if scheme == "light" else CONTRAST)

    assert found == []
    assert wide == {}


@pytest.mark.parametrize(
    ("language", "typed", "title"),
    [
        ("", "nudge", "nudge"),
        ("", "take-up", "take-up"),
        ("", "analyze_file", "analyze_file"),
        ("ko/", "넛지", "넛지"),
        ("ko/", "순응률", "순응률"),
        ("ko/", "플라시보", "플라시보"),
        ("ko/", "긴급 중단", "긴급 중단"),
    ],
)
def test_search__words_of_a_language__are_found_on_its_pages(
    open_built: Any, language: str, typed: str, title: str
) -> None:
    page = open_built()
    page.goto(f"{language}index.html")
    page.locator(".md-search__input").click()
    page.keyboard.type(typed)

    _results(page)
    page.locator(".md-search-result__item", has_text=title).first.wait_for(timeout=240_000)
    # All at one moment: the list is drawn anew while the index is still being read.
    addresses = page.locator(".md-search-result__link").evaluate_all("all => all.map(link => link.href)")
    assert addresses
    assert {(f"/{VERSION}/ko/" in address) for address in addresses} == {language == "ko/"}


def _results(page: Any) -> None:
    """Wait for the first result; a key now and then, as a person types on.

    What is typed before the search's own script listens is heard with the next key only.
    """
    for patience in (20_000, 20_000, 200_000):
        with suppress(TooLong):
            page.locator(".md-search-result__link").first.wait_for(timeout=patience)
            return
        page.keyboard.press("End")
    raise AssertionError("no result came")


def test_language__from_a_page__leads_to_the_same_page(open_built: Any) -> None:
    page = open_built()
    page.goto("how-to/read-a-report.html")

    page.locator(".md-header [aria-label='Select language']").hover()
    page.locator(".md-header .md-select__link", has_text="한국어").click()

    page.wait_for_url("**/ko/how-to/read-a-report.html")
    assert page.locator("h1").inner_text().startswith("보고서 읽기")
    assert page.evaluate("document.documentElement.lang") == "ko"


def test_english_page__in_the_korean_site__says_so_and_is_marked(open_built: Any) -> None:
    page = open_built()
    page.goto("ko/statistics.html")

    assert page.locator(".only-english").inner_text().startswith("이 문서는 영어로만 제공됩니다.")
    assert page.locator("div[lang=en] h1").count() == 1


def test_version__chosen_in_the_list__is_opened(open_built: Any) -> None:
    page = open_built()
    page.route("**/versions.json", lambda route: route.fulfill(body=json.dumps([VERSION, "0.1.0"])))
    page.route("**/0.1.0/index.html", lambda route: route.fulfill(body="older", content_type="text/html"))
    page.goto("ko/how-to/read-a-report.html")
    assert page.locator(".versions select").input_value() == VERSION

    page.locator(".versions select").select_option("0.1.0")

    page.wait_for_url("**/0.1.0/index.html")


def test_first_page__leads_to_a_version(open_built: Any, address: str) -> None:
    page = open_built()
    page.goto(f"{address}/")

    page.wait_for_url("**/index.html")
    assert page.locator("h1").inner_text().startswith("Insight")


def test_built_pages__all__link_to_what_is_there_and_fetch_nothing_from_elsewhere(address: str) -> None:
    assert wrong_links(BUILT) == []
    fetched = re.compile(r"url\((['\"]?)(?:https?:)?//|@import")
    assert [path.name for path in BUILT.rglob("*.css") if fetched.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("language", ["", "ko/"])
def test_markdown__of_each_page__lies_beside_its_html_and_in_the_lists(address: str, language: str) -> None:
    folder = BUILT / language
    pages = [
        path for path in folder.rglob("*.html") if path.name != "404.html" and (language or "ko" not in path.parts)
    ]
    listed = re.findall(r"\]\(([^)]+\.md)\)", (folder / "llms.txt").read_text("utf-8"))
    whole = (folder / "llms-full.txt").read_text("utf-8")

    assert [path for path in pages if not path.with_suffix(".md").is_file()] == []
    assert [name for name in listed if not (folder / name).is_file()] == []
    assert len(listed) == len(set(listed)) >= 90
    assert ("## 판정이 아닌 것" if language else "## What it isn't") in whole
