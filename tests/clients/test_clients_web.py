"""The published OpenFeature web client in Chromium, on a page of another origin."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.clients.conftest import HERE
from tests.clients.flags import arms, ask, create, issue
from tests.clients.server import Site
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
RULE = {"all": [{"trait": "level", "at_least": 10}]}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGE = b"""<!doctype html><title>t</title><link rel="icon" href="data:,"><script type="importmap">{"imports": {
"@openfeature/web-sdk": "/node_modules/@openfeature/web-sdk/dist/esm/index.js",
"@openfeature/core": "/node_modules/@openfeature/core/dist/esm/index.js",
"@openfeature/ofrep-core": "/core/index.esm.js",
"@openfeature/ofrep-web-provider": "/node_modules/@openfeature/ofrep-web-provider/index.esm.js"}}</script>"""
START = """async ([url, key, unit]) => {
  const { OpenFeature } = await import('@openfeature/web-sdk')
  const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider')
  window.api = OpenFeature
  const provider = new OFREPWebProvider({ baseUrl: url, pollInterval: 0, cacheMode: 'disabled',
    headers: [['X-API-Key', key]] })
  await OpenFeature.setContext({ targetingKey: unit })
  try { await OpenFeature.setProviderAndWait(provider) } catch (error) { return `failed: ${error.code ?? error}` }
  return OpenFeature.getClient().getStringValue('web', 'code default')
}"""
CONTEXT = """async (context) => {
  await window.api.setContext(context)
  return window.api.getClient().getStringValue('web', 'code default')
}"""


class Pages(SimpleHTTPRequestHandler):
    """A page of its own at "/", and the files of this folder."""

    page = PAGE

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=str(HERE))

    def do_GET(self) -> None:
        if self.path != "/":
            nested = "/node_modules/@openfeature/ofrep-web-provider/node_modules/@openfeature/ofrep-core/"
            self.path = (
                self.path.replace("/core/index", nested + "index") if self.path.startswith("/core/") else self.path
            )
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def other_origin() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture  # of each test: Playwright's event loop must be gone when Django's database is cleaned up
def page() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None or not (HERE / "node_modules" / "@openfeature").is_dir():
        missing("Chromium or the web client (make clients)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, other_origin() as origin:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.goto(origin)
        yield page
        browser.close()


@pytest.fixture
def answers(page: Any) -> Iterator[list[tuple[int, str | None]]]:
    """Status of each answer of the door, and the tag that was asked for."""
    seen: list[tuple[int, str | None]] = []

    def note(response: Any) -> None:
        if "/ofrep/" in response.url and response.request.method == "POST":
            seen.append((response.status, response.request.all_headers().get("if-none-match")))

    page.on("response", note)
    yield seen
    page.remove_listener("response", note)


def test_web_client__keeps_its_values_by_304_and_gets_new_ones_when_a_rule_matches(
    site: Site, page: Any, answers: list[tuple[int, str | None]]
) -> None:
    create(site, {"key": "web", "variants": arms(9_999, 1), "overrides": [{"rule": RULE, "variant": "arm1"}]})
    time.sleep(2)
    origin = page.evaluate("location.origin")
    (key,) = issue(site, ("client", 1_000_000, [origin]))

    first = page.evaluate(START, [site.url, key, "u1"])
    same = page.evaluate(CONTEXT, {"targetingKey": "u1", "level": 9})
    moved = page.evaluate(CONTEXT, {"targetingKey": "u1", "level": 10})
    other = page.evaluate(CONTEXT, {"targetingKey": "u2", "level": 1})

    page.wait_for_timeout(300)  # the events of the last answer are still on their way
    assert (first, same, moved, other) == ("arm0", "arm0", "arm1", "arm0")
    assert [status for status, _ in answers] == [200, 304, 200, 200]
    assert answers[1][1] is not None
    assert answers[1][1] == answers[2][1]


def test_web_client__with_a_bad_key_or_from_an_origin_not_listed__fails_for_good(
    site: Site, page: Any, answers: list[tuple[int, str | None]]
) -> None:
    (elsewhere,) = issue(site, ("client", 1_000_000, ["https://game.example"]))

    unknown = page.evaluate(START, [site.url, "pk_" + "x" * 43, "u1"])
    page.reload()
    refused = page.evaluate(START, [site.url, elsewhere, "u1"])

    page.wait_for_timeout(300)
    assert unknown == "failed: PROVIDER_FATAL"
    assert refused == "failed: PROVIDER_FATAL"
    assert [status for status, _ in answers] == [401, 403]
    assert ask(site, elsewhere, "/ofrep/v1/evaluate/flags", {"context": {"targetingKey": "u"}})[0] == 200
