"""Calls: errors as one class, patience with a busy site, starting a study and drafting an experiment."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from aha.models import AhaMoment
from experiments.models import Experiment
from insight_client import Insight, InsightError
from tests.aha.store import load_file
from tests.clients.server import free_port
from tests.experiments.api.make import PLAN
from tests.insight_client.conftest import Ask


@pytest.mark.django_db(transaction=True)
def test_error__unknown_key__is_unauthorized(live_server: Any) -> None:
    with pytest.raises(InsightError) as caught:
        Insight(live_server.url, "ak_" + "x" * 43).studies()

    assert (caught.value.code, caught.value.status) == ("unauthorized", 401)
    assert caught.value.request_id


@pytest.mark.django_db(transaction=True)
def test_error__bad_input__names_the_place_and_starts_nothing(ask: Ask) -> None:
    site = ask("admin:*", "reports:read")

    with pytest.raises(InsightError) as caught:
        site.start_study(retention="sometimes", days=[])

    assert caught.value.code == "invalid"
    assert "/inputs/days" in [mistake.pointer for mistake in caught.value.mistakes]
    assert site.studies() == []


@pytest.mark.django_db(transaction=True)
def test_latest_analysis__of_an_experiment_without_one__is_none_and_of_no_experiment_an_error(ask: Ask) -> None:
    site = ask("admin:*", "reports:read")
    site.draft_experiment(PLAN["key"], **{name: value for name, value in PLAN.items() if name != "key"})

    assert site.latest_analysis(PLAN["key"]) is None
    with pytest.raises(InsightError) as caught:
        site.latest_analysis("nobody")
    assert caught.value.status == 404


@pytest.mark.django_db(transaction=True)
def test_limit__beyond_it__is_throttled_after_the_last_try(ask: Ask) -> None:
    site = ask(rate=1, tries=1)
    site.studies()

    with pytest.raises(InsightError) as caught:
        site.studies()

    assert caught.value.status == 429


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_draft_for_moment__with_take_up__is_a_draft_of_that_moment(ask: Ask) -> None:
    AhaMoment.objects.create(
        key="friends", name="f", behaviour="friend_add", times=3, days=7, signup_event="s", retention="window:21-27"
    )

    found = ask("admin:*", "reports:read").draft_for_moment("friends", take_up=0.25)

    row = Experiment.objects.get()
    assert (found.key, found.status, found.moment) == (row.key, "draft", "friends")
    assert found.plan["expected_take_up"] == row.expected_take_up == 0.25


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_study__started_and_waited_for__ends_as_the_worker_says(ask: Ask, settings: Any, tmp_path: Path) -> None:
    from aha.study import studies

    settings.EVENTS_URL = str(tmp_path / "store")
    rows = [f"u{k},{event},2026-01-0{k}T10:00:00Z" for k in (1, 2, 3) for event in ("signup", "chat")]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["user,event,time", *rows, "u1,chat,2026-02-20T10:00:00Z"]) + "\n")
    load_file(path, "--user", "user", "--event", "event", "--time", "time")
    site = ask("admin:*", "reports:read")
    started = site.start_study(retention="window:14-20", days=[3, 7], title="mine", seed=7)
    with pytest.raises(TimeoutError, match="queued"):
        site.wait_for_study(started.id, seconds=0)

    studies.run_study(started.id)
    found = site.wait_for_study(started.id, seconds=5, every=0.1)

    assert (found.status, found.title, found.inputs["days"], found.users) == ("done", "mine", [3, 7], 3)
    assert found.candidates == ()
    assert found.none_because


class Busy(BaseHTTPRequestHandler):
    """A site that is too busy twice, then answers; it keeps what it was asked."""

    answers: ClassVar[list[tuple[int, dict[str, str], str]]] = []
    asked: ClassVar[list[tuple[str, str | None]]] = []
    times: ClassVar[list[float]] = []

    def do_GET(self) -> None:
        self.times.append(time.monotonic())
        self.asked.append((self.path, self.headers.get("Idempotency-Key")))
        status, headers, body = self.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def busy() -> Iterator[str]:
    Busy.answers, Busy.asked, Busy.times = [], [], []
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


EMPTY = (200, {"Content-Type": "application/json"}, json.dumps({"count": 0, "results": []}))
PROBLEM = json.dumps({"code": "busy", "detail": "come later"})


def test_busy__with_retry_after__waits_that_long_and_asks_again(busy: str) -> None:
    Busy.answers = [(503, {"Retry-After": "1"}, PROBLEM), (429, {"Retry-After": "0"}, PROBLEM), EMPTY]

    assert Insight(busy, "k").studies() == []

    assert len(Busy.asked) == 3
    assert Busy.times[1] - Busy.times[0] >= 1


def test_busy__longer_than_all_tries__is_an_error_with_its_sentence(busy: str) -> None:
    Busy.answers = [(503, {"Retry-After": "0"}, PROBLEM)] * 2

    with pytest.raises(InsightError, match="come later") as caught:
        Insight(busy, "k", tries=2).studies()

    assert (caught.value.code, caught.value.status, len(Busy.asked)) == ("busy", 503, 2)


def test_busy__a_post__is_sent_again_with_the_same_idempotency_key(busy: str) -> None:
    Busy.answers = [(503, {"Retry-After": "0"}, PROBLEM), (409, {}, json.dumps({"code": "refused", "detail": "no"}))]

    with pytest.raises(InsightError, match="no"):
        Insight(busy, "k").start_study(retention="on_day:7")

    keys = [key for _, key in Busy.asked]
    assert keys[0] is not None
    assert keys == [keys[0]] * 2


def test_error__not_this_kind_of_site__says_so(busy: str) -> None:
    Busy.answers = [(404, {}, "<html>no</html>"), (200, {}, "<html>yes</html>")]

    for _ in range(2):
        with pytest.raises(InsightError, match="is this an Insight site") as caught:
            Insight(busy, "k").studies()
        assert caught.value.code == "unreadable"


def test_error__nobody_there__is_unreachable() -> None:
    with pytest.raises(InsightError) as caught:
        Insight(f"http://127.0.0.1:{free_port()}", "k", tries=2).studies()

    assert caught.value.code == "unreachable"


@pytest.mark.parametrize(("url", "tries"), [("insight.example.org", 3), ("https://insight.example.org", 0)])
def test_insight__bad_argument__is_refused_at_once(url: str, tries: int) -> None:
    with pytest.raises(ValueError):
        Insight(url, "k", tries=tries)


def test_from_environment__without_a_key__says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSIGHT_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("INSIGHT_KEY", raising=False)

    with pytest.raises(ValueError, match="Set INSIGHT_KEY in"):
        Insight.from_environment()
