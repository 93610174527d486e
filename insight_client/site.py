"""`Insight`: one site, asked with one key."""

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
    """A site.

    Args:
        url: its address, such as https://insight.example.org.
        key: `reports:read` for reading; `admin:*` to start studies and draft experiments.
        tries: how often a call is made while the site is busy or away.
        timeout: of one try, in seconds.
        http: a client of httpx of your own, for proxies and certificates.

    Raises:
        ValueError: `url` is none, or `tries` is below 1.
    """

    def __init__(
        self, url: str, key: str, *, tries: int = TRIES, timeout: float = TIMEOUT, http: httpx.Client | None = None
    ) -> None:
        self._connection = Connection(url, key, tries=tries, timeout=timeout, http=http)

    @classmethod
    def from_environment(cls) -> "Insight":
        """The site of INSIGHT_URL with the key of INSIGHT_KEY.

        Raises:
            ValueError: one of them isn't set.
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
        """End the connections."""
        self._connection.close()

    # ── Studies ───────────────────────────────────────────────────────────────
    def studies(self, *, status: str | None = None, tag: str | None = None) -> list[Study]:
        """All studies, without their reports."""
        return [reading.study(row) for row in self._connection.rows(f"{API}/studies", status=status, tag=tag)]

    def study(self, number: int) -> Study:
        """One study with its candidates."""
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
        """Start a study; `wait_for_study` waits for it.

        Args:
            retention: what "stayed" means, such as `window:21-27`.
            signup_event: starts a user's clock.
            days: the numbers of days within which a behaviour is counted.
            behaviours: events to look at; none: all.
            inert: behaviours that can't cause retention, as negative controls.
            title: for people.
            seed: of everything that is drawn.
            more: other inputs of the REST API (`segment`, `first_date`, `last_date`, `choose`, …).
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
        """The study when it has ended, whichever way: look at its `status`.

        Raises:
            TimeoutError: it hasn't, after so many seconds.
        """
        deadline = time.monotonic() + seconds
        while (found := self.study(number)).status not in ENDED:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"study {number} is {found.status} ({found.stage}) after {seconds:.0f} s")
            time.sleep(every)
        return found

    def promote(self, study: int, *, behaviour: str, times: int, days: int, name: str = "") -> Moment:
        """Take a candidate of a study for the AHA moment."""
        body = {"behaviour": behaviour, "times": times, "days": days, "name": name}
        return reading.moment(self._connection.post(f"{API}/studies/{study}/promote", body))

    # ── Moments, segments, metrics ────────────────────────────────────────────
    def moments(self, *, status: str | None = None) -> list[Moment]:
        """All AHA moments."""
        return [reading.moment(row) for row in self._connection.rows(f"{API}/moments", status=status)]

    def moment(self, key: str) -> Moment:
        """One AHA moment."""
        return reading.moment(self._connection.get(f"{API}/moments/{key}"))

    def segments(self) -> list[Segment]:
        """All published segments."""
        return [reading.segment(row) for row in self._connection.rows(f"{API}/segments")]

    def metrics(self, *, status: str | None = None) -> list[Metric]:
        """The catalogue of metrics."""
        return [reading.metric(row) for row in self._connection.rows(f"{API}/metrics", status=status)]

    # ── Experiments ───────────────────────────────────────────────────────────
    def experiments(self, *, status: str | None = None, moment: str | None = None) -> list[Experiment]:
        """All experiments, without their plans."""
        rows = self._connection.rows(f"{API}/experiments", status=status, moment=moment)
        return [reading.experiment(row) for row in rows]

    def experiment(self, key: str) -> Experiment:
        """One experiment with its plan."""
        return reading.experiment(self._connection.get(f"{API}/experiments/{key}"))

    def draft_for_moment(self, moment: str, *, take_up: float | None = None) -> Experiment:
        """Draft the experiment that would test a moment; people review and start it.

        Args:
            moment: its key.
            take_up: share of users whom the nudge is expected to move, 0 to 1; None: the site's own guess.
        """
        return reading.experiment(self._connection.post(f"{API}/moments/{moment}/experiments", {"take_up": take_up}))

    def draft_experiment(self, key: str, *, variants: Sequence[dict[str, Any]], **plan: Any) -> Experiment:
        """Draft an experiment; people review and start it.

        Args:
            key: its name in addresses.
            variants: control first: `{"key": "control", "value": False, "weight": 5000}`, weights in steps of .01 %.
            plan: any field of the plan, as in the REST API.
        """
        body = {"key": key, "variants": list(variants), **plan}
        return reading.experiment(self._connection.post(f"{API}/experiments", body))

    def size(self, key: str, **question: Any) -> Size:
        """How many users an experiment needs and how long that takes.

        Args:
            key: of the experiment.
            question: other numbers than the plan's: `planned_effect`, `method`, `variants`, …, as in the REST API.
        """
        return reading.size(self._connection.get(f"{API}/experiments/{key}/power", **question))

    # ── Analyses ──────────────────────────────────────────────────────────────
    def analyses(self, key: str) -> list[Analysis]:
        """All analyses of an experiment, the newest first, without their outcomes."""
        return [reading.analysis(row) for row in self._connection.rows(f"{API}/experiments/{key}/analyses")]

    def analysis(self, key: str, number: int) -> Analysis:
        """One analysis, with what the plan opens."""
        return reading.analysis(self._connection.get(f"{API}/experiments/{key}/analyses/{number}"))

    def latest_analysis(self, key: str) -> Analysis | None:
        """The last good analysis, with what the plan opens; None before the first."""
        try:
            return reading.analysis(self._connection.get(f"{API}/experiments/{key}/analyses/latest"))
        except InsightError as error:
            if error.status != 404:
                raise
            self.experiment(key)  # an unknown experiment is an error, one without analysis isn't
            return None
