"""Where a moment stands: found, promoted, tested, decided, as steps of a line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from aha.report.reach_picture import ExperimentDays
from reporting.words import gettext


@dataclass(frozen=True)
class Step:
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
    *, status: str, found: Step | None, promoted: date, by: str, tests: Sequence[ExperimentDays], decided: date | None
) -> tuple[Step, ...]:
    """The four steps of a moment, the experiments among them with their links."""
    began = found or Step(gettext("Written by hand"), "done", promoted)
    tested = [
        Step(gettext("Tested"), "done" if test.last else "here", test.first, test.url, test.name) for test in tests
    ] or [Step(gettext("Not tested yet"), "here" if status == "candidate" else "")]
    ends = {
        "confirmed": (gettext("Confirmed"), "done"),
        "refuted": (gettext("Refuted"), "bad"),
        "inconclusive": (gettext("Inconclusive"), "warn"),
    }
    name, state = ends.get(status, (gettext("Verdict"), ""))
    return (began, Step(gettext("Promoted"), "done", promoted, words=by), *tested, Step(name, state, decided))
