"""What `doctor` says of proxy, server and memory."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from insight_site.operate import doctor
from insight_site.operate.doctor import complaints, memory, size

GOOD: dict[str, Any] = {
    "HTTPS": True,
    "BEHIND_PROXY": True,
    "INTERNAL_NETWORKS": [],
    "EXPLORE_MEMORY": "1GB",
    "EXPLORE_QUESTIONS": 1,
    "WORKERS": 1,
    "WORKER_MB": 1_000,
}


@pytest.fixture(autouse=True)
def _well(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in GOOD.items():
        setattr(settings, name, value)
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "meminfo").write_text("MemTotal:        3906250 kB\n")  # 4 GB
    monkeypatch.setattr(doctor, "LIMIT", tmp_path / "max")
    monkeypatch.setattr(doctor, "MACHINE", tmp_path / "meminfo")


def test_good_surroundings__leave_nothing_to_say() -> None:
    assert list(complaints()) == []


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({"BEHIND_PROXY": False}, "proxy", "HTTPS is on and BEHIND_PROXY off"),
        ({"HTTPS": False, "BEHIND_PROXY": False}, "proxy", "No proxy stands in front"),
        (
            {"HTTPS": False, "BEHIND_PROXY": False, "DEBUG": True, "INTERNAL_NETWORKS": ["127.0.0.0/8"]},
            "proxy",
            "INTERNAL_NETWORKS",
        ),
        ({"EXPLORE_MEMORY": "5GB"}, "memory", "EXPLORE_MEMORY is 5.0 GB, and there are 4.0 GB here."),
        ({"WORKERS": 5}, "memory", "WORKERS × WORKER_MB is 5.0 GB, and there are 4.0 GB here."),
    ],
)
def test_setting__that_does_not_fit__is_named(change: dict[str, Any], name: str, said: str, settings: Any) -> None:
    for key, value in change.items():
        setattr(settings, key, value)

    (found,) = complaints()

    assert found[0] == name
    assert said in found[1]
    assert found[2]


def test_memory__of_a_container__is_its_limit(tmp_path: Path) -> None:
    assert memory() == 4_000_000_000

    (tmp_path / "max").write_text("2147483648\n")

    assert memory() == 2**31


@pytest.mark.parametrize(
    ("text", "wanted"), [("2GB", 2 * 10**9), ("1500MB", 15 * 10**8), ("1.5 GiB", 15 * 10**8), ("7", 7), ("much", 0)]
)
def test_size__of_a_text__is_in_bytes(text: str, wanted: int) -> None:
    assert size(text) == wanted


@pytest.mark.slow
@pytest.mark.django_db
def test_doctor__tells_of_it(settings: Any) -> None:
    settings.WORKERS = 5

    assert [one for one in doctor.examine() if one.name == "memory" and one.state == doctor.LOOK and one.mend]


class _Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/ofrep/v1/streams/healthz" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("status", "said"), [(200, None), (401, "no process holds event streams at {url}: 401")])
def test_event_streams__where_the_setting_leads__are_held_or_missed(
    status: int, said: str | None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HTTPS = settings.BEHIND_PROXY = False
    monkeypatch.setattr(_Answers, "status", status)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EVENT_STREAMS_URL = url = f"http://127.0.0.1:{server.server_port}"
        found = [text for name, text, _ in complaints() if name == "event streams"]
        server.shutdown()
    gone = [text for name, text, _ in complaints() if name == "event streams"]

    assert found == ([] if said is None else [said.format(url=url)])
    assert gone == [f"no process holds event streams at {url}: ConnectionRefusedError"]


@pytest.mark.parametrize("url", ["insight.example", "ftp://insight.example", "http://insight.example"])
def test_event_streams__at_no_address_for_browsers__are_named(url: str, settings: Any) -> None:
    settings.EVENT_STREAMS_URL = url

    assert [text for name, text, _ in complaints() if name == "event streams"] == [
        f"EVENT_STREAMS_URL is no address that browsers of this site may open: {url}"
    ]
