"""Stored holdout reports and overlaps, for pages and doors."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone

from experiments.analyse.across.holdout_question import OPEN, WAITING, Due
from experiments.analyse.across.holdout_readings import plan_holdout, question_of
from experiments.analyse.across.holdout_result import HOLDOUT, Shipment, read_holdout
from experiments.analyse.across.overlap_pairs import OVERLAP, Member, OutcomeTest, Overlap, SharingPair
from experiments.analyse.across.overlaps import adjusted
from experiments.models import Holdout, HoldoutPlan, HoldoutReading, OverlapReport
from stats.interaction import independence, interaction
from stats.results import Estimate
from stats.summaries import Mean
from stats.winners_curse import sum_selected
from tests.experiments.analyse.holdout_report.test_holdout_read_out import shares

DAY = date(2026, 12, 20)
UNTIL = datetime(2026, 12, 20, tzinfo=UTC)
EFFECT = Estimate(0.03, 0.01, 0.0104, 0.0496, 0.0027, 0.95, "score-interval")


def a_plan(holdout: Holdout, **fields: Any) -> HoldoutPlan:
    end = timezone.localdate() + timedelta(days=60)
    given = {"since": date(2026, 7, 1), "signup_event": "signup", "outcome": "window:2-3", "readings": [end], **fields}
    return plan_holdout(holdout=holdout, **given)


def a_reading(
    plan: HoldoutPlan, *, is_open: bool = True, held: int = 400, rest: int = 410, stays: int = 130
) -> HoldoutReading:
    """A stored reading of a holdout with 100 of 400 back, and so many of the rest."""
    at = (
        Due(OPEN, "due", UNTIL, DAY, None, final=True)
        if is_open
        else Due(WAITING, "before", UNTIL, None, DAY, final=False)
    )
    shipped = (
        Shipment("guild", "Guild banner", "banner", date(2026, 8, 1), True, EFFECT, ""),
        Shipment("gift", "Gift", "gift", date(2026, 8, 9), False, EFFECT, "reaches_both"),
    )
    sums = sum_selected([0.03, 0.05, 0.0, -0.01, *[0.002] * 6], [0.01] * 10, [0, 1])
    report = read_holdout(
        question_of(plan),
        at,
        shares(100, held, stays, rest),
        earlier=(),
        shipped=shipped,
        sums=sums,
        earlier_readings=2,
    )
    return HoldoutReading.objects.create(
        plan=plan,
        status="done",
        payload=HOLDOUT.store(report),
        as_of=UNTIL,
        finished_at=UNTIL,
        opened=is_open,
        read_on=DAY if is_open else None,
        final=report.final,
        broken=report.broken,
    )


def an_overlap(*, locked: bool) -> OverlapReport:
    cells = [[Mean(500, 0.3, 0.21), Mean(500, 0.31, 0.21)], [Mean(500, 0.33, 0.22), Mean(500, 0.52, 0.25)]]
    tests = tuple(
        OutcomeTest(
            key, "window:2-3", "proportion", "locked" if locked else "", "", None if locked else interaction(cells)
        )
        for key in ("one", "two")
    )
    counts = ((500, 500), (500, 500))
    pair = SharingPair(
        "one",
        "two",
        ((3, 4), (5, 6)),
        counts,
        independence(counts),
        False,
        None if locked else (independence(counts),) * 2,
        tests,
    )
    members = tuple(Member(key, f"Test {key}", ("control", "banner"), (1_000, 1_200)) for key in ("one", "two"))
    found = Overlap("2026-11-24T00:00:00+00:00", 60, members, adjusted([pair]), 1)
    return OverlapReport.objects.create(
        status="done", payload=OVERLAP.store(found), as_of=UNTIL, finished_at=UNTIL, alarms=1
    )
