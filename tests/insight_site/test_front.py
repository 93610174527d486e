"""The entrance before Django's own: each machine door answers through both in the same words; pages go on."""

import io
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse

from insight_site.access import keys
from insight_site.machine import dispatch
from insight_site.operate import request_lines
from insight_site.operate.request_lines import REQUESTS
from tests.experiments.make import running
from tests.insight_site.test_doors_ingest import make_key

pytestmark = pytest.mark.django_db
type Answer = tuple[str, dict[str, str], bytes]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(dispatch, "close_old_connections", lambda: None)  # the test's transaction lives in one
    return WSGIHandler()


def call(app: Any, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    said: dict[str, Any] = {}

    def start_response(status: str, sent: list[tuple[str, str]]) -> None:
        said["answer"] = status, dict(sent)

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "203.0.113.7",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "HTTP_X_REQUEST_ID": "one-id",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    found = app(environ, start_response)
    return (*said["answer"], b"".join(found))


def _calls() -> dict[str, Callable[[Any], Answer]]:
    _, key = make_key(kind="server", scopes=["assign:read", "config:read", "events:write"])
    bearer = f"Bearer {key}"
    unit = json.dumps({"context": {"targetingKey": "u1"}}).encode()
    batch = json.dumps({"batch": [{"type": "track", "userId": "u1", "event": "invite", "messageId": "m"}]}).encode()
    flags = "/ofrep/v1/evaluate/flags"
    return {
        "flag": lambda app: call(app, "POST", f"{flags}/exp", unit, authorization=bearer),
        "flags": lambda app: call(app, "POST", flags, unit, authorization=bearer),
        "no flag": lambda app: call(app, "POST", f"{flags}/none", unit, authorization=bearer),
        "no key": lambda app: call(app, "POST", f"{flags}/exp", unit),
        "bad body": lambda app: call(app, "POST", f"{flags}/exp", b"{", authorization=bearer),
        "get": lambda app: call(app, "GET", f"{flags}/exp", authorization=bearer),
        "preflight": lambda app: call(
            app, "OPTIONS", f"{flags}/exp", origin="https://a.example", access_control_request_method="POST"
        ),
        "events": lambda app: call(app, "POST", "/v1/batch", batch, authorization=bearer),
        "no door": lambda app: call(app, "POST", "/v1/none", batch, authorization=bearer),
        "wrong host": lambda app: call(app, "POST", "/v1/batch", batch, host="other.example"),
        "metrics": lambda app: call(app, "GET", "/metrics", authorization="Bearer no"),
    }


CASES = [
    "flag",
    "flags",
    "no flag",
    "no key",
    "bad body",
    "get",
    "preflight",
    "events",
    "no door",
    "wrong host",
    "metrics",
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("https", [False, True])
def test_door__through_both_entrances__has_one_answer(site: Any, settings: Any, case: str, https: bool) -> None:
    settings.HTTPS = https  # then every door refuses plain HTTP, alike
    running()
    asked = _calls()[case]
    asked(site)  # the first call assigns and keeps

    theirs = asked(site)
    ours = asked(dispatch.with_doors(site))

    assert ours == theirs
    assert ours[1]["X-Request-ID"] == "one-id"


def test_calls__are_all_cases() -> None:
    running()
    assert list(_calls()) == CASES


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/api/v1/schema/", "/healthz", "/nowhere"])
def test_page__goes_on_to_the_site(path: str) -> None:
    seen: list[str] = []

    def site(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        return [b"page"]

    assert dispatch.with_doors(site)({"PATH_INFO": path}, None) == [b"page"]  # type: ignore[arg-type]
    assert seen == [path]


def test_trouble__inside_a_door__is_answered_in_its_shape(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(key: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(keys, "find_caller", broken)
    monkeypatch.setattr("insight_site.access.permissions.find_caller", broken)

    status, _, body = call(dispatch.with_doors(site), "POST", "/v1/batch", b"{}", authorization="Bearer x")

    assert status == "500 Internal Server Error"
    assert json.loads(body)["code"] == "internal_error"


@pytest.mark.parametrize(("seconds", "trouble", "times"), [(0.0, False, 0), (2.0, False, 1), (0.0, True, 1)])
def test_connections__of_this_thread__are_looked_after_each_second_and_after_an_error(
    site: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, trouble: bool, times: int
) -> None:
    seen: list[str] = []

    def answered(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    monkeypatch.setattr(dispatch, "close_old_connections", lambda: seen.append("closed"))
    monkeypatch.setattr(dispatch, "answered", answered)
    monkeypatch.setattr(dispatch._looked, "at", time.monotonic() - seconds, raising=False)
    monkeypatch.setattr(connection, "errors_occurred", trouble)

    call(dispatch.with_doors(site), "POST", "/v1/batch")

    assert len(seen) == times


def test_line__of_a_door__is_written_soon_with_all_its_fields_and_counted(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_lines.write_now()  # of earlier calls
    root, stream = logging.getLogger(), io.StringIO()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(stream)])
    monkeypatch.setattr(root, "level", logging.INFO)
    root.manager._clear_cache()  # type: ignore[attr-defined]
    before = REQUESTS.labels("evaluation", 401)._value.get()

    call(dispatch.with_doors(site), "POST", "/ofrep/v1/evaluate/flags/exp", b"{}")
    request_lines.write_now()

    (line,) = [found for text in stream.getvalue().splitlines() if (found := json.loads(text))["event"] == "request"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line.pop("time"))
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "one-id",
        "door": "evaluation",
        "method": "POST",
        "status": 401,
        "key": None,
    }
    assert REQUESTS.labels("evaluation", 401)._value.get() == before + 1


def test_entrance__of_the_server__has_the_doors_in_front() -> None:
    from insight_site.wsgi import application as served

    assert settings.WSGI_APPLICATION == "insight_site.wsgi.application"
    assert served.__qualname__.startswith("with_doors")
