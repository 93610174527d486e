"""HTTP transport of the client: authentication, retries, pagination and errors."""

import math
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from insight_client.errors import InsightError, Mistake

TRIES = 5
TIMEOUT = 30.0
# The site was too busy, or another call with the same key is still running.
AGAIN = (429, 503)
LONGEST_WAIT = 60.0
ROWS_A_PAGE = 100

type Json = dict[str, Any]


class Connection:
    """An HTTP connection to one site with one API key."""

    def __init__(
        self, url: str, key: str, *, tries: int = TRIES, timeout: float = TIMEOUT, http: httpx.Client | None = None
    ) -> None:
        if not urlsplit(url).scheme.startswith("http") or not urlsplit(url).netloc:
            raise ValueError(f"url must be like https://insight.example.org, not {url!r}")
        if tries < 1:
            raise ValueError(f"tries must be at least 1, not {tries}")
        self.url, self.tries = url.rstrip("/"), tries
        self._http = http or httpx.Client(timeout=timeout, follow_redirects=False)
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """GET a path; returns its JSON.

        Raises:
            InsightError: the site returned an error or can't be reached.
        """
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST to a path; returns its JSON. Retries use one idempotency key, so the call takes effect once.

        Raises:
            InsightError: as `get`.
        """
        return self._call("POST", path, body=body, headers={"Idempotency-Key": uuid.uuid4().hex})

    def rows(self, path: str, **query: Any) -> Iterator[Json]:
        """All rows of a list; further pages are fetched on demand.

        Raises:
            InsightError: as `get`.
        """
        asked = {name: value for name, value in query.items() if value is not None} | {"page_size": ROWS_A_PAGE}
        while True:
            page = self.get(path, **asked)
            yield from page["results"]
            if not page.get("next"):
                return
            # The site's own address of the next page may be another than ours, behind a proxy: only its query counts.
            asked = dict(parse_qsl(urlsplit(page["next"]).query))

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        for attempt in range(1, self.tries + 1):
            last = attempt == self.tries
            try:
                answer = self._http.request(
                    method, self.url + path, params=query, json=body, headers={**self._headers, **(headers or {})}
                )
            except httpx.TransportError as trouble:
                if last:
                    raise InsightError("unreachable", f"{self.url} can't be reached: {trouble}") from trouble
                time.sleep(_backoff(attempt))
                continue
            if answer.is_success:
                return _json(answer)
            if answer.status_code not in AGAIN or last:
                raise error_of(answer)
            time.sleep(_wait(answer, attempt))
        raise AssertionError("unreachable")  # the last try returns or raises


def error_of(answer: httpx.Response) -> InsightError:
    """The error of an unsuccessful response (RFC 9457, `application/problem+json`)."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "code" not in body:
        sentence = f"{answer.url.host} answered {answer.status_code} without saying why; is this an Insight site?"
        return InsightError("unreadable", sentence, status=answer.status_code)
    mistakes = tuple(Mistake(row.get("pointer"), row["code"], row["detail"]) for row in body.get("errors", ()))
    return InsightError(
        body["code"],
        body.get("detail", ""),
        status=answer.status_code,
        mistakes=mistakes,
        request_id=body.get("request_id", ""),
    )


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise error_of(answer) from None


def _wait(answer: httpx.Response, attempt: int) -> float:
    """Seconds to wait before the next attempt: Retry-After if present, else exponential backoff."""
    try:
        given = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return _backoff(attempt)
    return min(max(given, 0.0), LONGEST_WAIT) if math.isfinite(given) else _backoff(attempt)


def _backoff(attempt: int) -> float:
    return min(0.25 * 2.0 ** (attempt - 1), LONGEST_WAIT)
