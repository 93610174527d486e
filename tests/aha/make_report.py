"""A small report made by hand: two behaviours, days 1 and 3, day 9 refused, two segments, one candidate that jumps."""

from dataclasses import replace
from typing import Any

from aha.evidence.aipw import Adjusted, Difference, Overlap, RiskRatio
from aha.evidence.expected_gain import Gain, Promise
from aha.evidence.ladder import Ladder, Rung, RungName
from aha.evidence.retention_curve import Curve, Plateau, Point
from aha.evidence.sensitivity import Benchmark, Calibrated, EmpiricalNull, EValue
from aha.study.cells import Cell, Grid
from aha.study.choice import Choice, Choosing, Pick
from aha.study.headline import HEADLINE, headline_of
from aha.study.hold_out import Honesty
from aha.study.numbers import Interval
from aha.study.payload_versions import STUDY
from aha.study.question import Inputs
from aha.study.report_columns import wilson_interval
from aha.study.result import (
    Asked,
    Candidate,
    Control,
    Controls,
    Dose,
    DosePoint,
    InvalidDays,
    Judged,
    Model,
    NullPicture,
    Population,
    Ranked,
    Report,
    SegmentCell,
    SegmentCurve,
    Swarm,
    Week,
    WeekCell,
)
from aha.study.step import Step, StepVerdict
from aha.study.window_guard import Flag, Flagged
from segments.search.learning import Skill
from segments.search.ranks import Auc
from stats.results import NotComputable, Reason

INPUTS = Inputs("signup", (1, 3, 9), "window:7-13", max_times=3)
DAYS, TIMES = (1, 3), (1, 2, 3)
# (behaviour, days, times): A, B, C, O; every row adds up to 1,000 users of whom 400 stay.
COUNTS = {
    (0, 1, 1): (280, 120, 130, 470),
    (0, 1, 2): (320, 80, 60, 540),
    (0, 1, 3): (360, 40, 20, 580),
    (0, 3, 1): (100, 300, 300, 300),
    (0, 3, 2): (150, 250, 150, 450),
    (0, 3, 3): (250, 150, 60, 540),
    (1, 1, 1): (200, 200, 290, 310),
    (1, 1, 2): (260, 140, 200, 400),
    (1, 1, 3): (330, 70, 100, 500),
    (1, 3, 1): (90, 310, 440, 160),
    (1, 3, 2): (160, 240, 320, 280),
    (1, 3, 3): (220, 180, 240, 360),
}


def interval(value: float, half: float = 0.02) -> Interval:
    return Interval(value, value - half, value + half)


def cell(key: tuple[int, int, int] = (0, 3, 2), behaviour: str = "friend_add", **more: Any) -> Cell:
    a, b, c, o = COUNTS[key]
    n = a + b + c + o
    ppv, without = b / (b + c), a / (a + o)
    made = Cell(
        behaviour,
        key[1],
        key[2],
        a,
        b,
        c,
        o,
        base=wilson_interval(a + b, n),
        reach=wilson_interval(b + c, n),
        ppv=wilson_interval(b, b + c),
        retained_without=wilson_interval(a, a + o),
        npv=wilson_interval(o, a + o),
        recall=wilson_interval(b, a + b),
        specificity=wilson_interval(o, c + o),
        j=wilson_interval(b, a + b + c),
        f1=0.6,
        youden=0.3,
        phi=interval(0.3),
        difference=interval(ppv - without),
        ratio=interval(2.0),
        odds_ratio=interval(5.0),
        beats_everybody=True,
    )
    return replace(made, **more)


def grid() -> Grid:
    keys = list(COUNTS)
    counts = list(COUNTS.values())
    j = tuple(b / (a + b + c) for a, b, c, _ in counts)
    nothing = tuple(None for _ in keys)
    same: dict[str, Any] = dict.fromkeys(
        (
            "youden",
            "phi",
            "phi_low",
            "phi_high",
            "difference",
            "difference_low",
            "difference_high",
            "j_low",
            "j_high",
            "p_luck",
            "p_active",
            "z_luck",
            "z_active",
        ),
        nothing,
    )
    return Grid(
        behaviour=tuple(key[0] for key in keys),
        days=tuple(key[1] for key in keys),
        times=tuple(key[2] for key in keys),
        a=tuple(row[0] for row in counts),
        b=tuple(row[1] for row in counts),
        c=tuple(row[2] for row in counts),
        o=tuple(row[3] for row in counts),
        reach=tuple((b + c) / 1_000 for _, b, c, _ in counts),
        ppv=tuple(b / (b + c) for _, b, c, _ in counts),
        retained_without=tuple(a / (a + o) for a, _, _, o in counts),
        recall=tuple(b / (a + b) for a, b, _, _ in counts),
        j=j,
        beats_everybody=tuple(value > 0.4 for value in j),
        **same,
    )


def difference(estimate: float, half: float = 0.03) -> Difference:
    return Difference(estimate, half / 1.96, estimate - half, estimate + half, 0.95)


def ladder() -> Ladder:
    full = difference(0.08)
    adjusted = Adjusted(
        full, RiskRatio(1.3, 1.1, 1.5, 0.95), 0.45, 0.35, 400, 600, Overlap(0.01, 0.1, 0.6, 0.7), ("trees",) * 3
    )
    return Ladder(
        (
            Rung(RungName.RAW, difference(0.375), 1_000),
            Rung(RungName.STRATIFIED, difference(0.15), 1_000),
            Rung(RungName.BASE, NotComputable(Reason.NO_OVERLAP), 1_000),
            Rung(RungName.FULL, full, 1_000, same_window=True, adjusted=adjusted),
        ),
        0.21,
        7,
    )


def candidate(**more: Any) -> Candidate:
    gap = Interval(0.01, -0.02, 0.04)
    gaps: dict[str, Interval | float] = dict.fromkeys(("ppv", "recall", "difference", "phi", "j"), gap)
    made = Candidate(
        behaviour="friend_add",
        days=3,
        times=2,
        rule_pick=Pick(3, 1, 0.3),
        by_step=True,
        cell=cell(),
        pick_share=0.6,
        indifference=(Pick(3, 1, 0.3), Pick(3, 2, 0.6)),
        step=StepVerdict.JUMP,
        honesty=Honesty(
            cell(ppv=interval(0.58), retained_without=interval(0.21)),
            cell(),
            cell(),
            gaps,
            dict.fromkeys(("ppv", "recall", "difference", "phi", "j"), gap),
            {},
            "hold_out",
        ),
        hold_out_j=interval(0.45),
        later_cohort_j=interval(0.44),
        p_luck=0.001,
        p_active=0.002,
        z_active=5.0,
        ladder=ladder(),
        e_value=EValue(1.9, 1.4),
        benchmark=Benchmark(0.33, 2.0, 1.5, 1.2, would_erase=False),
        calibrated=Calibrated(3.0, 0.003, 0.02, 0.12, as_strong_as_inert=False),
        promise=Promise(
            0.10,
            0.6,
            Gain(0.0375, 0.03, 0.045, 0.95),
            Gain(0.008, 0.005, 0.011, 0.95),
            NotComputable(Reason.NO_EXPERIMENT_YET),
            NotComputable(Reason.NO_EXPERIMENT_YET),
        ),
        flags=(),
        by_segment=(SegmentCell("solo", cell()), SegmentCell("guild", cell((0, 3, 3)))),
        by_week=(WeekCell("2026-01-05", 500, 200, 200, 125), WeekCell("2026-01-12", 500, 200, 200, 125)),
    )
    return replace(made, **more)


def choice() -> Choice:
    best, cheap = Pick(3, 2, 0.6), Pick(3, 1, 0.3)
    return Choice(
        "friend_add", Choosing(), best, cheap, (cheap, best), (best, cheap), (best, cheap), 0.01, (cheap, best), {}
    )


def judged(verdict: StepVerdict = StepVerdict.JUMP) -> tuple[Judged, ...]:
    points = tuple(
        DosePoint(count, count == 3, 300, 0.2 + 0.1 * count, 0.15 + 0.1 * count, 0.25 + 0.1 * count, 0.25)
        for count in range(4)
    )
    step = Step("friend_add", verdict, 3, 2, 30.0, 0.002, 0.004, 0.8, (2,), None, interval(0.3), None)
    return (
        Judged("friend_add", (), choice(), step, Dose(3, points), Pick(3, 2, 0.6), by_step=True),
        Judged("rotate", ("inert",), choice(), None, None, NotComputable(Reason.NO_CELL_TO_RECOMMEND), by_step=False),
    )


def skill(gain: float = 0.1) -> Skill:
    return Skill(1_000, 400, Auc(0.8, 0.01, 0.78, 0.82), 0.5, 0.6, gain, gain - 0.05, gain + 0.05)


def model() -> Model:
    rows = (
        Ranked("active_days", "activity", 0, 1.2, 1.2, 1, 1, 1, 0.9),
        Ranked("friend_add", "behaviour", 1, 0.5, 0.5, 2, 2, 3, 0.8),
        Ranked("rotate", "behaviour", 2, 0.4, 0.4, 3, 2, 3, NotComputable(Reason.NO_VARIANCE)),
    )
    shap = tuple(0.01 * step for step in range(-10, 11))
    quantile = tuple(step / 20 for step in range(21))
    return Model(skill(), skill(), rows, (Swarm("friend_add", quantile, quantile, shap),))


def curve() -> Curve:
    points = tuple(Point(day, 0.4 if day else 1.0, 0.38, 0.42, 1_000) for day in range(14))
    return Curve(points, Plateau(5, 4, 6, 0.9, 0.4, 0.38, 0.42, 0.001, 0.004, 0.01, 1_000, 0.95))


def null(*, by_activity: bool) -> NullPicture:
    return NullPicture(by_activity, 1_000, 12, (1.0, 2.0, 3.0, 4.0), (600, 350, 50), 9.0 if by_activity else 3.5, 0.004)


def report(**more: Any) -> Report:
    rate = wilson_interval(400, 1_000)
    falling = NotComputable(Reason.CURVE_STILL_FALLS)
    made = Report(
        asked=Asked(
            INPUTS,
            ("friend_add", "rotate"),
            2,
            (TIMES, TIMES),
            DAYS,
            (InvalidDays(9, NotComputable(Reason.WINDOWS_OVERLAP, {"days": 9, "gap": 0, "first": 7})),),
            "2026-03-01T00:00:00+00:00",
            "Asia/Seoul",
            ("solo", "guild"),
        ),
        population=Population(1_050, 1_000, {"too_young": 50}, 400, rate, "2026-01-05", "2026-01-18"),
        floor=None,
        model=model(),
        grid=grid(),
        luck=null(by_activity=False),
        active=null(by_activity=True),
        flags=(Flagged("rotate", Flag.INERT),),
        judged=judged(),
        candidates=(candidate(),),
        more_candidates=1,
        controls=Controls((Control("rotate", 3, 1, difference(0.01)),), EmpiricalNull(0.01, 0.02, 5, is_weak=True)),
        weeks=(Week("2026-01-05", 500, 200, rate), Week("2026-01-12", 500, 200, rate)),
        curve=curve(),
        segment_curves=(SegmentCurve("solo", replace(curve(), plateau=falling)),),
        parts={"train": 600, "hold_out": 400, "later": 0},
        samples={"eligible": 1_000, "model": 1_000},
        seeds={"study": 1, "model": 2},
        versions={"numpy": "2"},
    )
    return replace(made, **more)


def result(made: Report | None = None) -> dict[str, Any]:
    """The columns of a done study: its payload and what lists say of it."""
    made = report() if made is None else made
    return {"payload": STUDY.store(made), "headline": HEADLINE.store(headline_of(made))}
