"""`Insight`: client of one site."""

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from insight_client import reading
from insight_client.connection import TIMEOUT, TRIES, Connection
from insight_client.errors import InsightError
from insight_client.records import Analysis, Experiment, Metric, Moment, Segment, Size, Study

ENDED = ("done", "failed", "cancelled")
API = "/api/v1"


class Insight:
    """Client of an Insight site.

    Args:
        url: address of the site, such as https://insight.example.org.
        key: API key with the scope `reports:read` for reading; `admin:*` to start studies and draft experiments.
        tries: maximum number of attempts while the site is busy or unreachable.
        timeout: timeout of one attempt in seconds.
        http: custom `httpx.Client`, for example for proxies and certificates.

    Raises:
        ValueError: `url` is invalid, or `tries` is below 1.
    """

    def __init__(
        self, url: str, key: str, *, tries: int = TRIES, timeout: float = TIMEOUT, http: httpx.Client | None = None
    ) -> None:
        self._connection = Connection(url, key, tries=tries, timeout=timeout, http=http)

    @classmethod
    def from_environment(cls) -> "Insight":
        """Create a client from the environment variables INSIGHT_URL and INSIGHT_KEY.

        Raises:
            ValueError: one of them is not set.
        """
        missing = [name for name in ("INSIGHT_URL", "INSIGHT_KEY") if not os.environ.get(name)]
        if missing:
            raise ValueError(f"Set {' and '.join(missing)} in the environment.")
        return cls(os.environ["INSIGHT_URL"], os.environ["INSIGHT_KEY"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    # ── Studies ───────────────────────────────────────────────────────────────
    def studies(self, *, status: str | None = None, tag: str | None = None) -> list[Study]:
        """List studies, without their reports."""
        return [reading.study(row) for row in self._connection.rows(f"{API}/studies", status=status, tag=tag)]

    def study(self, number: int) -> Study:
        """Retrieve a study with its candidates."""
        return reading.study(self._connection.get(f"{API}/studies/{number}"))

    def start_study(
        self,
        *,
        retention: str,
        signup_event: str = "signup",
        days: Sequence[int] = tuple(range(1, 8)),
        behaviours: Sequence[str] = (),
        inert: Sequence[str] = (),
        title: str = "",
        seed: int = 1,
        **more: Any,
    ) -> Study:
        """Start a study. Use `wait_for_study` to wait for its result.

        Args:
            retention: definition of retention, such as `window:21-27`.
            signup_event: event that starts a user's clock.
            days: window lengths in days within which a behaviour is counted.
            behaviours: events to test; empty for all.
            inert: behaviours that can't affect retention, used as negative controls.
            title: display name.
            seed: seed of the random number generator.
            more: further inputs of the REST API (`segment`, `first_date`, `last_date`, `choose`, …).
        """
        inputs = {
            "signup_event": signup_event,
            "days": list(days),
            "retention": retention,
            "behaviours": list(behaviours),
            "inert": list(inert),
            **more,
        }
        return reading.study(self._connection.post(f"{API}/studies", {"title": title, "seed": seed, "inputs": inputs}))

    def wait_for_study(self, number: int, *, seconds: float = 3600, every: float = 2) -> Study:
        """Wait until a study has ended and return it; its `status` tells whether it succeeded.

        Raises:
            TimeoutError: it has not ended within the given number of seconds.
        """
        deadline = time.monotonic() + seconds
        while (found := self.study(number)).status not in ENDED:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"study {number} is {found.status} ({found.stage}) after {seconds:.0f} s")
            time.sleep(every)
        return found

    def promote(self, study: int, *, behaviour: str, times: int, days: int, name: str = "") -> Moment:
        """Promote a candidate of a study to an AHA moment."""
        body = {"behaviour": behaviour, "times": times, "days": days, "name": name}
        return reading.moment(self._connection.post(f"{API}/studies/{study}/promote", body))

    # ── Moments, segments, metrics ────────────────────────────────────────────
    def moments(self, *, status: str | None = None) -> list[Moment]:
        """List AHA moments."""
        return [reading.moment(row) for row in self._connection.rows(f"{API}/moments", status=status)]

    def moment(self, key: str) -> Moment:
        """Retrieve an AHA moment."""
        return reading.moment(self._connection.get(f"{API}/moments/{key}"))

    def segments(self) -> list[Segment]:
        """List published segments."""
        return [reading.segment(row) for row in self._connection.rows(f"{API}/segments")]

    def metrics(self, *, status: str | None = None) -> list[Metric]:
        """List the metrics of the catalogue."""
        return [reading.metric(row) for row in self._connection.rows(f"{API}/metrics", status=status)]

    # ── Experiments ───────────────────────────────────────────────────────────
    def experiments(self, *, status: str | None = None, moment: str | None = None) -> list[Experiment]:
        """List experiments, without their plans."""
        rows = self._connection.rows(f"{API}/experiments", status=status, moment=moment)
        return [reading.experiment(row) for row in rows]

    def experiment(self, key: str) -> Experiment:
        """Retrieve an experiment with its plan."""
        return reading.experiment(self._connection.get(f"{API}/experiments/{key}"))

    def draft_for_moment(self, moment: str, *, take_up: float | None = None) -> Experiment:
        """Create a draft experiment that tests an AHA moment. A person has to review and start it.

        Args:
            moment: key of the AHA moment.
            take_up: expected take-up, 0 to 1: share of users that the nudge moves; None for the site's default.
        """
        return reading.experiment(self._connection.post(f"{API}/moments/{moment}/experiments", {"take_up": take_up}))

    def draft_experiment(self, key: str, *, variants: Sequence[dict[str, Any]], **plan: Any) -> Experiment:
        """Create a draft experiment. A person has to review and start it.

        Args:
            key: key of the experiment, used in URLs.
            variants: arms, control first: `{"key": "control", "value": False, "weight": 5000}`; weights sum to 10000.
            plan: further fields of the plan, as in the REST API.
        """
        body = {"key": key, "variants": list(variants), **plan}
        return reading.experiment(self._connection.post(f"{API}/experiments", body))

    def size(self, key: str, **question: Any) -> Size:
        """Required sample size and duration of an experiment.

        Args:
            key: key of the experiment.
            question: parameters that replace the plan's: `planned_effect`, `method`, `variants`, …, as in the REST API.
        """
        return reading.size(self._connection.get(f"{API}/experiments/{key}/power", **question))

    # ── Analyses ──────────────────────────────────────────────────────────────
    def analyses(self, key: str) -> list[Analysis]:
        """List the analyses of an experiment, newest first, without their outcomes."""
        return [reading.analysis(row) for row in self._connection.rows(f"{API}/experiments/{key}/analyses")]

    def analysis(self, key: str, number: int) -> Analysis:
        """Retrieve an analysis, with the outcomes that the plan has opened."""
        return reading.analysis(self._connection.get(f"{API}/experiments/{key}/analyses/{number}"))

    def latest_analysis(self, key: str) -> Analysis | None:
        """Retrieve the latest successful analysis, with the outcomes that the plan opened; None before the first."""
        try:
            return reading.analysis(self._connection.get(f"{API}/experiments/{key}/analyses/latest"))
        except InsightError as error:
            if error.status != 404:
                raise
            self.experiment(key)  # an unknown experiment is an error, one without analysis isn't
            return None
