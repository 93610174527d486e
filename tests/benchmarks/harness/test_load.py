"""The load driver against a small server whose every call is known."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.harness.load import drive, figures, name_of, quantile


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]] = []
    wait = 0.0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append((self.path, body))
        time.sleep(self.wait)
        self.send_response(503 if "refuse" in self.path else 200)
        if "silent" in self.path:
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(body) + ("cut" in self.path)))
        self.close_connection = "cut" in self.path
        if "close" in self.path:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    _Door.seen, _Door.wait = [], 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def _call(path: str) -> dict[str, object]:
    return {"method": "POST", "path": path, "headers": {"X-API-Key": "k"}, "body": '{"unit":"{unit}"}'}


@pytest.mark.parametrize("path", ["/keep/{unit}", "/close/{unit}"])
def test_drive__closed__every_call_counts_once_and_units_go_round(port: int, path: str) -> None:
    units = {"first": 5, "cycle": 3}

    result = drive({"port": port, "calls": [_call(path)], "connections": 1, "seconds": 0.5, "units": units})

    names = [name_of(5 + turn % 3) for turn in range(len(_Door.seen))]
    assert result["answered"] == len(_Door.seen) == len(result["latencies"]) >= 1
    assert [body for _, body in _Door.seen] == [f'{{"unit":"{name}"}}' for name in names]
    assert [place for place, _ in _Door.seen] == [path.replace("{unit}", name) for name in names]
    assert figures(result)["answers/s"] == pytest.approx(result["answered"] / result["seconds"])


@pytest.mark.slow
def test_drive__open__latency_counts_from_the_arrival_and_impatient_calls_are_not_sent(port: int) -> None:
    _Door.wait = 1.5  # so long that a busy machine changes nothing
    arrivals = [[0.0, 0, "a"], [0.0, 0, "b"], [0.0, 0, "c"]]

    load = {"port": port, "calls": [_call("/")], "connections": 1, "arrivals": arrivals, "patience": 2.5}
    log = drive(load)["log"]

    by_unit = {row[4]: row for row in log}
    assert by_unit["a"][2] == by_unit["b"][2] == 200
    assert by_unit["b"][1] >= 3.0  # it waited for the first
    assert by_unit["b"][5] == '{"unit":"b"}'
    assert by_unit["c"][2] == 0
    assert len(_Door.seen) == 2


def test_figures__a_refusal__is_no_speed(port: int) -> None:
    units = {"first": 0, "cycle": 1}
    result = drive({"port": port, "calls": [_call("/refuse")], "connections": 1, "seconds": 0.05, "units": units})

    with pytest.raises(SystemExit, match="503"):
        figures(result)


@pytest.mark.parametrize(("path", "tries"), [("/cut", 1), ("/silent", 2)])
def test_drive__an_answer_that_never_ends__is_broken(port: int, path: str, tries: int) -> None:
    load = {"port": port, "calls": [_call(path)], "connections": 1, "arrivals": [[0.0, 0, "a"]]}

    assert drive(load)["statuses"] == {"599": 1}
    assert len(_Door.seen) == tries


def test_quantile__of_a_hundred__is_the_next_one_above() -> None:
    assert quantile([float(n) for n in range(100)], 0.99) == 99.0
    assert quantile([1.0], 0.99) == 1.0


def test_name_of__many_numbers__never_twice() -> None:
    assert len({name_of(number) for number in range(100_000)}) == 100_000
