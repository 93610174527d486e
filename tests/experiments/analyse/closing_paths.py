"""False alarms of plans with planned looks when people close the enrolment because of what they saw."""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np

from benchmarks.audit_04.figure import Figure, percent
from experiments.analyse.closing import SPENDS_THE_REST, fractions_of, rule_of
from experiments.analyse.result import LookTaken
from experiments.plan.planned import Planned
from stats.sequential.boundaries import Spending
from stats.sequential.looks import Look

TITLE = "Closing a plan with planned looks early"
TEXT = (
    "O'Brien-Fleming plan with looks at 20, 40, 60 and 80 % and at the end, no effect, 5 % two-sided. Enrolment is "
    "closed after the first look whose |z| reaches a threshold; 3 % of the plan more matures until the last look. The "
    "last look spends what `experiments.analyse.closing.rule_of` allows: all that is left only if nothing that was "
    "seen made it the last, else what the spending function allows at its own share (Lan and DeMets 1989)."
)
LOOKS, MORE = (0.2, 0.4, 0.6, 0.8), 0.03
RUNS = 20_000
START = date(2026, 1, 1)


def figures(size: float) -> list[Figure]:
    """Rows of the page; `size` scales the number of runs."""
    runs = max(round(RUNS * size), 200)
    z = paths(np.random.default_rng(13), runs)
    found = []
    for threshold in (1.6, 1.96):
        now, before = (alarms(z, threshold, old=old) for old in (False, True))
        found.append(
            Figure(
                f"false alarms when closed once |z| reaches {threshold} at a look",
                "at most 5.5 %",
                f"{percent(now)} of {runs:,} runs",
                now <= 0.055,
            )
        )
        seen = f"{percent(before)} of {runs:,} runs"
        found.append(Figure(f"the same if the last look spent all that is left ({threshold})", "shown", seen, None))
    for end in (0.4, 0.6):
        what = f"left open by the rules: planned end at {percent(end, 0)}, closed then if |z| >= 1.6, else all units"
        found.append(Figure(what, "shown", f"{percent(two_ends(z, end, 1.6))} of {runs:,} runs", None))
    for name, ended, shown, share in (
        ("closed at 90 % before any look was shown", 80, (), 0.9),
        ("closed at 90 % on the planned end, four looks shown", 100, LOOKS, 0.9),
        ("all planned units in, four looks shown, closed before the planned end", 99, LOOKS, 1.0),
    ):
        critical, whole = (last_bound(shown, share, ended, old=old) for old in (False, True))
        seen = f"{critical:.3f} and {whole:.3f}"
        found.append(
            Figure(f"critical value and that of the whole rest: {name}", "equal", seen, abs(critical - whole) < 1e-9)
        )
    return found


def paths(rng: np.random.Generator, runs: int) -> dict[float, np.ndarray]:
    """z at every share at which somebody looks, of runs without effect."""
    times = sorted({*LOOKS, *(look + MORE for look in LOOKS), 1.0})
    steps = rng.normal(size=(runs, len(times))) * np.sqrt(np.diff(times, prepend=0.0))
    values = steps.cumsum(axis=1) / np.sqrt(times)
    return {time: values[:, place] for place, time in enumerate(times)}


def alarms(z: dict[float, np.ndarray], threshold: float, *, old: bool, alpha: float = 0.05) -> float:
    """Share of runs that alarm at a look or at the last one; closed after the first look beyond the threshold."""
    runs = len(z[1.0])
    alarmed, going = np.zeros(runs, dtype=bool), np.ones(runs, dtype=bool)
    for place, look in enumerate(LOOKS):
        alarmed |= going & (np.abs(z[look]) >= interim_bound(LOOKS[: place + 1], alpha))
        closed = going & (np.abs(z[look]) >= threshold)
        last = last_bound(LOOKS[: place + 1], look + MORE, day(look), old=old, alpha=alpha)
        alarmed |= closed & (np.abs(z[look + MORE]) >= last)
        going &= ~closed
    alarmed |= going & (np.abs(z[1.0]) >= last_bound(LOOKS, 1.0, 99, old=old, alpha=alpha))
    return float(alarmed.mean())


def two_ends(z: dict[float, np.ndarray], end: float, threshold: float) -> float:
    """False alarms of people who close on the planned end only if that day's look was promising, else go on."""
    alarmed = np.zeros(len(z[1.0]), dtype=bool)
    closes = np.abs(z[end]) >= threshold
    for place, look in enumerate(LOOKS):
        going = ~closes if look > end else np.ones_like(closes)
        alarmed |= going & (np.abs(z[look]) >= interim_bound(LOOKS[: place + 1], 0.05))
    before = tuple(look for look in LOOKS if look <= end)
    alarmed |= closes & (np.abs(z[end + MORE]) >= last_bound(before, end + MORE, 100, old=True))
    return float((alarmed | (~closes & (np.abs(z[1.0]) >= last_bound(LOOKS, 1.0, 99, old=True)))).mean())


def day(share: float) -> int:
    """Days after the start on which a share of a plan of 100 days is in."""
    return round(100 * share)


@cache
def interim_bound(fractions: tuple[float, ...], alpha: float) -> float:
    """Critical value of a look before the last."""
    return Look(alpha, "group_sequential", fractions=fractions).critical


@cache
def last_bound(shown: tuple[float, ...], share: float, ended: int, *, old: bool, alpha: float = 0.05) -> float:
    """Critical value of the last look at a share, closed on a day; `old`: it spends all that is left."""
    plan = replace(PLAN, enrolment_ended=START + timedelta(days=ended))
    looks = [replace(TAKEN, fraction=one, shown=START + timedelta(days=day(one))) for one in shown]
    rest = old or rule_of(plan, share, looks, final=True) in SPENDS_THE_REST
    fractions = fractions_of(looks, share)
    return Look(
        alpha, "group_sequential", fractions=fractions, spending=Spending.OBRIEN_FLEMING, final=True, rest=rest
    ).critical


PLAN = Planned(
    key="closing",
    name="",
    hypothesis="",
    nudge="",
    variants=("control", "nudge"),
    placebo=None,
    doses={},
    shares={"": (0.5, 0.5)},
    primary=("window:21-27",),
    secondary=(),
    guardrails=(),
    alpha=0.05,
    power=0.8,
    smallest_effect=None,
    take_up=None,
    planned_units=10_000,
    planned_end=START + timedelta(days=100),
    method="group_sequential",
    looks=LOOKS,
    spending="obrien_fleming",
    covariates=(),
    clock="exposure",
    day_mode="rolling",
    churn_gap=7,
    started=START,
    enrolment_ended=None,
)
TAKEN = LookTaken(START, "", "nudge", 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, "INCONCLUSIVE", False)
