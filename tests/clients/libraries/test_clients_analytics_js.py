"""Segment's published library for browsers in Chromium, on a page of another origin, against the running site."""

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.conftest import HERE
from tests.clients.server import Site
from tests.clients.test_clients_ingest import in_store
from tests.clients.test_clients_web import FLAGS, other_origin
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
BUNDLE = "/node_modules/@segment/analytics-next/dist/umd/index.js"
# The settings that it would ask Segment for are given, so that it asks nobody.
LOAD = """async ([host, key, strategy]) => {
  const settings = { integrations: { 'Segment.io': {
    apiKey: key, apiHost: host, protocol: 'http',
    ...(strategy ? { deliveryStrategy: { strategy, config: { size: 3, timeout: 200 } } } : {}) } } }
  const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnSettings: settings })
  window.analytics = analytics
}"""
SEND = """async ([first, last]) => {
  for (let n = first; n < last; n += 1) window.analytics.track('play', { n })
}"""
KINDS = """async (name) => {
  const analytics = window.analytics
  await analytics.identify('u-' + name, { plan: 'pro' })
  await analytics.page('docs', 'home')
  await analytics.group('g1', { size: 4 })
  await analytics.track('invite', { 한글: '값' })
  await analytics.screen('game', 'lobby')
  await analytics.alias('u2-' + name)
}"""


@pytest.fixture
def page() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None or not (HERE / BUNDLE[1:]).is_file():
        missing("Chromium or analytics.js (make clients)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, other_origin() as origin:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(origin)
        page.add_script_tag(url=BUNDLE)
        yield page
        browser.close()


@pytest.fixture
def answers(page: Any) -> list[tuple[int, str]]:
    """Status and path of each answer of our door; and no other host may be asked."""
    seen: list[tuple[int, str]] = []

    def note(response: Any) -> None:
        if response.request.method == "POST":
            seen.append((response.status, "/" + response.url.split("/", 3)[3]))

    page.on("response", note)
    return seen


def until(page: Any, answers: list[tuple[int, str]], wanted: int, status: int = 200) -> None:
    deadline = time.monotonic() + 90
    while sum(seen == status for seen, _ in answers) < wanted:
        assert time.monotonic() < deadline, answers
        page.wait_for_timeout(100)


def test_analytics_js__of_every_kind__arrives_from_another_origin(
    site: Site, key: str, name: str, page: Any, answers: list[tuple[int, str]], settings: Any
) -> None:
    before = site.ingested()

    page.evaluate(LOAD, [site.url.removeprefix("http://") + "/v1", key, None])
    page.evaluate(KINDS, name)
    until(page, answers, 6)
    site.manage("flush_events")

    after = site.ingested()
    assert sorted(answers) == [(200, f"/v1/{kind}") for kind in "agipst"]
    assert (after["accepted"] - before["accepted"], after["rejected"] - before["rejected"]) == (6, 0)
    kept = [row for rows in in_store(site, settings, "ajs-next").values() for row in rows]
    mine = [
        (event, {k: v for k, v in given.items() if k in ("plan", "size", "한글")})
        for user, event, given in kept
        if name in user
    ]
    assert sorted(mine, key=str) == sorted(
        [
            ("$identify", {"plan": "pro"}),
            ("$page", {}),
            ("$group", {"size": 4}),
            ("invite", {"한글": "값"}),
            ("$screen", {}),
            ("$alias", {}),
        ],
        key=str,
    )


@pytest.mark.parametrize("strategy", [None, "batching"])
def test_analytics_js__while_the_database_is_away__gets_503_and_loses_nothing(
    strategy: str | None, site: Site, key: str, name: str, page: Any, answers: list[tuple[int, str]], settings: Any
) -> None:
    page.evaluate(LOAD, [site.url.removeprefix("http://") + "/v1", key, strategy])
    page.evaluate("(name) => window.analytics.identify('v-' + name)", name)

    with site.database_away():
        page.evaluate(SEND, [0, 3])
        until(page, answers, 1, status=503)
    page.evaluate(SEND, [3, 6])

    deadline = time.monotonic() + 90
    found: list[int] = []
    while sorted(found) != list(range(6)) and time.monotonic() < deadline:
        page.wait_for_timeout(1_000)
        rows = [row for rows in in_store(site, settings, "ajs-next").values() for row in rows]
        found = [given["n"] for user, event, given in rows if event == "play" and name in user]
    assert sorted(found) == list(range(6))
    assert any(path == ("/v1/b" if strategy else "/v1/t") for _, path in answers)
