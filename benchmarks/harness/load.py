"""The load driver: HTTP calls over keep-alive connections from one process of its own, the same for every door.

    python -m benchmarks.harness.load < spec.json > result.json

Raw sockets, since a client library would cost more than the doors that are measured. A server that closes a connection
gets a new one; that is its price. Two kinds of load: *closed* (each connection sends its next call when the last one is
answered; `seconds`) and *open* (calls arrive by themselves at given moments, whether the earlier ones are answered or
not; `arrivals`). Latency in an open load counts from the arrival, waiting for a free connection included: otherwise a
server that stalls would hide the calls that it kept from being sent.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.frame import ROOT

GIVE_UP_SECONDS = 60
BROKEN = 599  # no answer came, and nobody knows whether the call was done
UNIT = "{unit}"  # the place of the unit in path and body


def drive(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Run a load in a process of its own.

    Args:
        spec: `port`; `calls`, a list of {method, path, headers, body} with `{unit}` where the unit stands;
            `connections`; and `seconds` with `units` (cycled over; {"first": n, "cycle": m or null}), or `arrivals`, a
            list of [seconds from the start, number of the call, unit], with the callers' `patience` in seconds.

    Returns:
        `answered`, `seconds`, `statuses`, `latencies` in s, `processor_s` of the driver; in an open load also `log`, a
        list of [arrival, latency, status, number of the call, unit, body]. Status 0 is a call that nobody sent, since
        no connection was free within the caller's patience.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.load"],
        input=json.dumps(spec).encode(),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the load driver failed: {done.stderr.decode()[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def figures(result: Mapping[str, Any]) -> dict[str, float]:
    """Answers a second and quantiles of a load.

    Raises:
        SystemExit: when not every answer was a success: a refusal is quick, and would count as speed.
    """
    bad = {status: n for status, n in result["statuses"].items() if not status.startswith("2")}
    if bad:
        raise SystemExit(f"not every answer was a success: {bad}, for example {result['example']!r}")
    ordered = sorted(result["latencies"])
    return {
        "answers/s": result["answered"] / result["seconds"],
        "p50 ms": 1e3 * quantile(ordered, 0.5),
        "p99 ms": 1e3 * quantile(ordered, 0.99),
    }


def quantile(ordered: list[float], share: float) -> float:
    """Of sorted values, the smallest that the share doesn't exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection:
    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self.port, self.selector = port, selector
        self.socket: socket.socket | None = None
        self.call: tuple[float, int, str] | None = None  # since when, which call, which unit

    def send(self, data: bytes, call: tuple[float, int, str]) -> None:
        self.call, self._data, self._got, self._repeated = call, data, b"", False
        self._write()

    def _write(self) -> None:
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=GIVE_UP_SECONDS)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(self.socket, selectors.EVENT_READ, self)
        try:
            self.socket.sendall(self._data)
        except OSError:
            if self._repeated:
                raise
            self._again()

    def _again(self) -> None:
        """The server closed a kept connection before it read the call: the usual race of keep-alive, sent once
        more."""
        self.close()
        self._repeated = True
        self._write()

    def read(self) -> tuple[int, bytes] | None:
        """Status and body when the answer is whole."""
        assert self.socket is not None
        try:
            got = self.socket.recv(65_536)
        except OSError:
            got = b""
        if not got and not self._got:
            if self._repeated:  # twice in a row is no race: the server failed
                self.close()
                self.call = None
                return BROKEN, b"the server closed two connections without an answer"
            self._again()
            return None
        self._got += got
        head, split, body = self._got.partition(b"\r\n\r\n")
        whole = bool(split) and _is_whole(head.lower(), body, ended=not got)
        if not whole and got:
            return None
        self.call = None
        if not whole:
            self.close()
            return BROKEN, self._got
        lower = head.lower()
        if b"connection: close" in lower or not got:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        if self.socket is not None:
            self.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None


def _is_whole(head: bytes, body: bytes, *, ended: bool) -> bool:
    if (place := head.find(b"content-length:")) >= 0:
        return len(body) >= int(head[place + 15 :].split(b"\r\n", 1)[0])
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return ended or head[9:12] in (b"204", b"304")


class Writer:
    """The bytes of calls. `{unit}` is filled in last; Content-Length follows the body."""

    def __init__(self, calls: list[dict[str, Any]]) -> None:
        self.parts = [self._parts(call) for call in calls]

    @staticmethod
    def _parts(call: dict[str, Any]) -> tuple[str, str]:
        lines = [f"{call['method']} {call['path']} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in call["headers"].items()]
        return "\r\n".join(lines), call.get("body") or ""

    def bytes_of(self, number: int, unit: str) -> bytes:
        head, body = self.parts[number]
        full = body.replace(UNIT, unit).encode()
        length = f"\r\nContent-Length: {len(full)}" if body else ""
        return f"{head.replace(UNIT, unit)}{length}\r\n\r\n".encode() + full


class Tally:
    def __init__(self, *, keep: bool) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.log: list[list[Any]] = []
        self.example, self.keep = "", keep

    def add(self, call: tuple[float, int, str], answer: tuple[int, bytes], begun: float) -> None:
        took = time.perf_counter() - call[0]
        self.latencies.append(took)
        self.statuses[str(answer[0])] += 1
        if answer[0] >= 300 and not self.example:
            self.example = answer[1][:300].decode(errors="replace")
        if self.keep:
            body = answer[1].decode(errors="replace")
            self.log.append([call[0] - begun, took, answer[0], call[1], call[2], body])


def closed(spec: dict[str, Any], tally: Tally) -> float:
    """Each connection calls again as soon as it is answered. Returns the seconds that passed."""
    writer, units = Writer(spec["calls"]), _units(spec["units"])
    with selectors.DefaultSelector() as selector:
        connections = [Connection(spec["port"], selector) for _ in range(spec["connections"])]
        begun = time.perf_counter()
        end, open_calls = begun + spec["seconds"], len(connections)
        for connection in connections:
            unit = next(units)
            connection.send(writer.bytes_of(0, unit), (time.perf_counter(), 0, unit))
        while open_calls:
            for connection, call, answer in _answers(selector):
                tally.add(call, answer, begun)
                if time.perf_counter() >= end:
                    open_calls -= 1
                    continue
                unit = next(units)
                connection.send(writer.bytes_of(0, unit), (time.perf_counter(), 0, unit))
        return time.perf_counter() - begun


def open_(spec: dict[str, Any], tally: Tally) -> float:
    """Calls arrive at their moments and wait in line for one of the connections. Returns the seconds that passed."""
    writer, coming, line = Writer(spec["calls"]), deque(spec["arrivals"]), deque[tuple[float, int, str]]()
    patience = spec.get("patience", float("inf"))
    with selectors.DefaultSelector() as selector:
        free = [Connection(spec["port"], selector) for _ in range(spec["connections"])]
        busy, begun = 0, time.perf_counter()
        while coming or line or busy:
            now = time.perf_counter() - begun
            while coming and coming[0][0] <= now:
                moment, number, unit = coming.popleft()
                line.append((begun + moment, number, unit))
            while line and free:
                call = line.popleft()
                if time.perf_counter() - call[0] > patience:
                    tally.add(call, (0, b""), begun)
                    continue
                connection = free.pop()
                connection.send(writer.bytes_of(call[1], call[2]), call)
                busy += 1
            if not busy:
                time.sleep(max(0.0, begun + coming[0][0] - time.perf_counter()) if coming else 0.0)
                continue
            wait = max(0.0, begun + coming[0][0] - time.perf_counter()) if coming and free else GIVE_UP_SECONDS
            for connection, call, answer in _answers(selector, min(wait, GIVE_UP_SECONDS)):
                tally.add(call, answer, begun)
                free.append(connection)
                busy -= 1
        return time.perf_counter() - begun


def _answers(
    selector: selectors.BaseSelector, wait: float = GIVE_UP_SECONDS
) -> Iterator[tuple[Connection, tuple[float, int, str], tuple[int, bytes]]]:
    ready = selector.select(wait)
    if not ready and wait >= GIVE_UP_SECONDS:
        raise SystemExit(f"no answer for {GIVE_UP_SECONDS} s")
    for key, _ in ready:
        connection: Connection = key.data
        call = connection.call
        if call is None:  # the server closed a connection that waits
            connection.close()
        elif answer := connection.read():
            yield connection, call, answer


def _units(given: dict[str, Any]) -> Iterator[str]:
    number, cycle = 0, given.get("cycle")
    while True:
        yield name_of(given["first"] + (number % cycle if cycle else number))
        number += 1


def name_of(number: int) -> str:
    """The id of a unit: 16 characters that say nothing of each other, like those of people's own systems."""
    return f"{(number * 0x9E3779B97F4A7C15 + 0x7F4A7C15) % 2**64:016x}"


def main() -> None:
    spec = json.load(sys.stdin)
    tally, spent = Tally(keep="arrivals" in spec), time.process_time()
    seconds = open_(spec, tally) if "arrivals" in spec else closed(spec, tally)
    result = {
        "answered": len(tally.latencies),
        "seconds": seconds,
        "statuses": tally.statuses,
        "latencies": tally.latencies,
        "example": tally.example,
        "log": tally.log,
        "processor_s": time.process_time() - spent,
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
