"""Two worlds with the same units, assignments and behaviour that differ in their outcomes alone."""

from datetime import timedelta
from typing import Any

from experiments.analyse.analyses import for_lists
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, LookTaken
from experiments.models import Analysis
from insight_site.models import Picture
from tests.experiments.make_answers import WEEKS, draw_units
from tests.experiments.make_readout import RUNNING, make_result


def two_worlds(*, is_open: bool, key: str = "exp", peek: bool = False) -> tuple[AnalysisResult, AnalysisResult]:
    """The same experiment read in both: whatever of it differs tells of the outcome."""
    return (_world(key, is_open=is_open, kept=True, peek=peek), _world(key, is_open=is_open, kept=False, peek=peek))


def after_a_peek(key: str) -> tuple[AnalysisResult, AnalysisResult]:
    """The same, locked again after a peek, whose look their path keeps."""
    first, second = two_worlds(is_open=False, key=key, peek=True)
    return (
        _world(key, is_open=False, kept=True, earlier=first.path),
        _world(key, is_open=False, kept=False, earlier=second.path),
    )


def _world(
    key: str, *, is_open: bool, kept: bool, peek: bool = False, earlier: tuple[LookTaken, ...] = ()
) -> AnalysisResult:
    units = draw_units(4_000)
    if not kept:
        units["value"] = (1 - units["value"]) * (units["arm"] == 1) + units["value"] * (units["arm"] == 0)
    # Days of activity are outcomes too: curves and times to churn differ as well.
    answers: dict[str, Any] = {
        "curve": tuple((arm, day, 1_000, (500 if kept else 300) - 10 * day) for arm in ARMS for day in range(29)),
        "durations": tuple(
            (arm, segment, day, churned, (10 if kept else 7) * day + 5 * churned)
            for arm in ARMS
            for segment in ("new", "old")
            for day in (1, 5, 20, 40)
            for churned in (True, False)
        ),
        "exposures_by_day": tuple((WEEKS[0] + timedelta(days=day), arm, 10) for day in range(14) for arm in ARMS),
    }
    plan: dict[str, Any] = {} if is_open else RUNNING
    return make_result(units=units, answers=answers, key=key, peek=peek, earlier=earlier, **plan)


ARMS = ("control", "nudge")


def keep(row: Analysis, readout: AnalysisResult) -> None:
    """Let a stored analysis hold another readout; its pictures are drawn anew."""
    Picture.objects.filter(run_label="experiments.Analysis", run_pk=row.pk).delete()
    Analysis.objects.filter(pk=row.pk).update(payload=READOUT.store(readout), **for_lists(readout))
