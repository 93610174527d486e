"""A client of the site's machine endpoints, as a service would write one: keep-alive, gzip, retries on a busy site."""

import base64
import gzip
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import batched
from typing import Any

import orjson

from runs.refusals import Refused

EVENTS_AT_A_TIME = 1_800  # well below the endpoint's limits of 2,500 events and 500 KiB
UNITS_AT_A_TIME = 100
THREADS = 4
TRIES = 20
AGAIN = (408, 429, 500, 503)  # statuses that are retried, as by the event libraries


class Client:
    """One keep-alive connection with one key."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {
            "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
            "Content-Type": "application/json",
        }

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        """POST, with retries; returns the response's JSON.

        Raises:
            Refused: the site refuses, or all retries failed.
        """
        why = ""
        for attempt in range(TRIES):
            try:
                self.connection.request("POST", path, body, {**self.headers, **headers})
                answer = self.connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as trouble:
                self.connection.close()
                why = type(trouble).__name__
            else:
                if answer.status == 200:
                    return orjson.loads(content)
                why = f"{answer.status} {content[:200].decode(errors='replace')}"
                if answer.status not in AGAIN:
                    break
            time.sleep(min(0.05 * 2**attempt, 2.0))
        raise Refused("The site refused {path}: {why}", path=path, why=why)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def send(port: int, key: str, calls: Iterable[dict[str, Any]], path: str = "/v1/batch") -> Counter[str]:
    """Send Segment calls in gzip batches over several connections.

    Returns:
        Numbers of `accepted`, `duplicates` and `rejected` events, from the responses.

    Raises:
        Refused: see `Client.post`.
    """
    found: Counter[str] = Counter()

    def one(client: Client, batch: tuple[dict[str, Any], ...]) -> None:
        body = orjson.dumps({"batch": batch})
        answer = client.post(path, gzip.compress(body, 1), {"Content-Encoding": "gzip"})
        with lock:
            found.update(accepted=answer["accepted"], duplicates=answer["duplicates"], rejected=answer["rejectedCount"])

    lock = threading.Lock()
    _share(port, key, batched(calls, EVENTS_AT_A_TIME), one)
    return found


def evaluate(port: int, key: str, flag: str, contexts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Evaluate a flag for each unit by OpenFeature, one call each, without exposures; results in the same order.

    Raises:
        Refused: see `Client.post`.
    """
    answers: list[dict[str, Any]] = [{}] * len(contexts)

    def some(client: Client, places: tuple[int, ...]) -> None:
        for place in places:
            body = orjson.dumps({"context": contexts[place]})
            answers[place] = client.post(f"/ofrep/v1/evaluate/flags/{flag}?exposure=0", body, {})

    _share(port, key, batched(range(len(contexts)), UNITS_AT_A_TIME), some)
    return answers


def _share[T](port: int, key: str, work: Iterator[T], one: Callable[[Client, T], None]) -> None:
    """Process work with several threads, each with its own connection."""
    lock = threading.Lock()
    failed = threading.Event()

    def run() -> None:
        with closing(Client(port, key)) as client:
            while not failed.is_set():
                with lock:
                    piece = next(work, None)
                if piece is None:
                    return
                try:
                    one(client, piece)
                except BaseException:
                    failed.set()
                    raise

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(run) for _ in range(THREADS)]:
            done.result()
