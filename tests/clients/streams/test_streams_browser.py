"""What browsers make of event streams: Chromium's own EventSource, the OpenFeature web provider, and React on it."""

import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any, override
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.clients.conftest import HERE
from tests.clients.flags import arms, create, issue
from tests.clients.rollout.test_kill_switch import post
from tests.clients.streams.conftest import Streams, change
from tests.clients.test_clients_web import FLAGS, Pages
from tests.conftest import missing

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
MODULES = HERE / "node_modules"
# React is published as CommonJS alone; each file becomes a module whose `require` knows what it asks for.
COMMON = {
    "react": "react/cjs/react.production.js",
    "react-dom": "react-dom/cjs/react-dom.production.js",
    "react-dom/client": "react-dom/cjs/react-dom-client.production.js",
    "scheduler": "scheduler/cjs/scheduler.production.js",
}
PAGE = """<!doctype html><title>t</title><link rel="icon" href="data:,"><div id="root"></div>
<script type="importmap">{"imports": {
"react": "/common/react", "react-dom": "/common/react-dom", "react-dom/client": "/common/react-dom/client",
"scheduler": "/common/scheduler",
"@openfeature/react-sdk": "/node_modules/@openfeature/react-sdk/dist/esm/index.js",
"@openfeature/web-sdk": "/node_modules/@openfeature/web-sdk/dist/esm/index.js",
"@openfeature/core": "/node_modules/@openfeature/core/dist/esm/index.js",
"@openfeature/ofrep-core": "/core/index.esm.js",
"@openfeature/ofrep-web-provider": "/node_modules/@openfeature/ofrep-web-provider/index.esm.js"}}</script>"""
REACT = """async ([url, key]) => {
  const { createElement } = await import('react')
  const { createRoot } = await import('react-dom/client')
  const { OpenFeature, OpenFeatureProvider, useStringFlagValue } = await import('@openfeature/react-sdk')
  const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider')
  const provider = new OFREPWebProvider({ baseUrl: url, cacheMode: 'network-first', headers: [['X-API-Key', key]] })
  await OpenFeature.setContext({ targetingKey: 'u1' })
  await OpenFeature.setProviderAndWait(provider)
  const Shown = () => createElement('p', { id: 'shown' }, useStringFlagValue('react', 'code default'))
  createRoot(document.getElementById('root')).render(createElement(OpenFeatureProvider, {}, createElement(Shown)))
}"""
LISTEN = """(url) => {
  window.heard = []
  window.source = new EventSource(url)
  window.source.addEventListener('open', () => window.heard.push('open'))
  window.source.addEventListener('error', () => window.heard.push('error ' + window.source.readyState))
  window.source.addEventListener('message', (event) => window.heard.push(JSON.parse(event.data).type))
}"""


def module_of(name: str) -> str:
    """A published CommonJS file as a module, with its text as it is."""
    code = (MODULES / COMMON[name]).read_text()
    asked = sorted(set(re.findall(r'require\("([^"]+)"\)', code)))
    names = sorted(set(re.findall(r"^exports\.(\w+) =", code, re.MULTILINE)))
    return "\n".join(
        [
            *(f"import r{at} from {one!r}" for at, one in enumerate(asked)),
            f"const known = {{{', '.join(f'{one!r}: r{at}' for at, one in enumerate(asked))}}}",
            "const made = { exports: {} }",
            "; (function (module, exports, require, process) {",
            code,
            "})(made, made.exports, (name) => known[name], { env: { NODE_ENV: 'production' } })",
            "export default made.exports",
            *(f"export const {one} = made.exports.{one}" for one in names),
        ]
    )


class _ReactPages(Pages):
    page = PAGE.encode()

    @override
    def do_GET(self) -> None:
        if not self.path.startswith("/common/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript; charset=utf-8")
        self.end_headers()
        self.wfile.write(module_of(self.path.removeprefix("/common/")).encode())


@contextmanager
def _other_origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _ReactPages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture
def page() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None or not (MODULES / "@openfeature" / "react-sdk").is_dir():
        missing("Chromium or the React client (make clients)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, _other_origin() as origin:
        browser = play.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(origin)
        yield page
        browser.close()


def test_react__on_the_web_provider__shows_a_kill_without_polling(page: Any, streams: Streams, admin: str) -> None:
    create(streams.site, {"key": "react", "variants": arms(1, 9_999)})
    time.sleep(2)
    origin = page.evaluate("location.origin")
    (key,) = issue(streams.site, ("client", 1_000_000, [origin]))
    asked: list[tuple[int, str]] = []
    opened: list[str] = []
    page.on("response", lambda it: asked.append((it.status, it.url)) if "/evaluate/" in it.url else None)
    page.on("request", lambda it: opened.append(it.url) if "/streams/" in it.url else None)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.evaluate(REACT, [streams.site.url, key])
    shown = page.locator("#shown")
    shown.get_by_text("arm1").wait_for()
    while streams.metric("insight_event_streams_open") == 0:
        page.wait_for_timeout(50)
    page.wait_for_timeout(2_500)  # of a change just made it may hear once
    before = [url for status, url in asked if status == 200]

    post(streams.site, admin, "react/kill", {"why": "it burns"})
    pressed = time.monotonic()
    shown.get_by_text("none").wait_for()
    took = time.monotonic() - pressed

    print(f"the page shows the default after {took:.2f} s")
    told = [parse_qs(urlsplit(url).query) for status, url in asked if status == 200 and url not in before]
    assert errors == []
    assert opened == [f"{streams.url}/ofrep/v1/streams/{key}"]
    assert len(told) == 1
    assert set(told[0]) == {"flagConfigEtag", "flagConfigLastModified"}
    assert took < 3.0  # two seconds to the stream, and what the browser needs


def test_event_source__of_a_process_that_was_replaced__comes_back_and_hears_what_it_missed(
    page: Any, streams: Streams
) -> None:
    origin = page.evaluate("location.origin")
    here, elsewhere = issue(
        streams.site, ("client", 1_000_000, [origin]), ("client", 1_000_000, ["https://game.example"])
    )

    page.evaluate(LISTEN, f"{streams.url}/ofrep/v1/streams/{elsewhere}")
    while not (refused := page.evaluate("window.heard")):
        page.wait_for_timeout(50)
    page.evaluate(LISTEN, f"{streams.url}/ofrep/v1/streams/{here}")
    while "open" not in page.evaluate("window.heard"):
        page.wait_for_timeout(50)
    page.wait_for_timeout(2_500)
    page.evaluate("window.heard.length = 0")
    code = streams.stop()
    change(streams.site)
    streams.start()
    deadline = time.monotonic() + 60
    while "refetchEvaluation" not in (heard := page.evaluate("window.heard")):
        assert time.monotonic() < deadline, heard
        page.wait_for_timeout(100)

    assert refused == ["error 2"]  # closed for good
    assert code == 0
    assert heard[0] == "error 0"  # it tries again by itself
    assert heard[-2:] == ["open", "refetchEvaluation"]
