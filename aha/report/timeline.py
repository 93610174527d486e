"""Where a moment stands: found, promoted, tested, decided, as steps of a line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from aha.report.reach_picture import ExperimentDays
from reporting.words import gettext


@dataclass(frozen=True)
class TimelineStep:
    """One step.

    Attributes:
        name: what it is called.
        state: ``done``, ``here``, ``bad``, ``warn``, or "" for one that hasn't come.
        day: when; None where there is none.
        link, words: the page behind it.
    """

    name: str
    state: str
    day: date | None = None
    link: str = ""
    words: str = ""


def steps(
    *,
    status: str,
    found: TimelineStep | None,
    promoted: date,
    by: str,
    tests: Sequence[ExperimentDays],
    decided: date | None,
) -> tuple[TimelineStep, ...]:
    """The four steps of a moment, the experiments among them with their links."""
    began = found or TimelineStep(gettext("Written by hand"), "done", promoted)
    tested = [
        TimelineStep(gettext("Tested"), "done" if test.last else "here", test.first, test.url, test.name)
        for test in tests
    ] or [TimelineStep(gettext("Not tested yet"), "here" if status == "candidate" else "")]
    ends = {
        "confirmed": (gettext("Confirmed"), "done"),
        "refuted": (gettext("Refuted"), "bad"),
        "inconclusive": (gettext("Inconclusive"), "warn"),
    }
    name, state = ends.get(status, (gettext("Verdict"), ""))
    return (
        began,
        TimelineStep(gettext("Promoted"), "done", promoted, words=by),
        *tested,
        TimelineStep(name, state, decided),
    )
