"""The checks of a review: those that a plan fills by itself, a team's own, and what people ticked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from events.metrics import first_day, parse_metric
from experiments.models import Analysis, Experiment, PlanComment, ReviewItem, ReviewTick
from experiments.plan.lifecycle import LIVE
from experiments.plan.record import Plan, PlannedRow
from experiments.plan.review import code_of, fingerprint
from experiments.plan.stored import plan_of
from experiments.plan.warnings import MISSED
from experiments.plan_page.known_numbers import Known
from runs.refusals import Refused
from stats.results import computable

# Checks that a plan fills in: each with a state and its numbers. Words are in `check_words`.

LINK = re.compile(r"https?://\S+")
EARLIER = 10  # latest experiments whose sample ratio is checked


class CheckState(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"


@dataclass(frozen=True)
class ReviewCheck:
    """One line of the checklist.

    Attributes:
        code: of the check; `state` is its result.
        facts: numbers and keys for the sentence, as JSON.
        label: a team's own check in words; "" where the plan fills it in.
        required: True when it must be ticked before an approval.
        tick: who ticked it, when, and the note; None while it isn't ticked.
        older: True when it was ticked for an earlier content of the plan.
    """

    code: str
    state: CheckState
    facts: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    required: bool = False
    tick: ReviewTick | None = None
    older: bool = False


def filled(row: Experiment, known: Known) -> list[ReviewCheck]:
    """All checks that the plan fills in, in the order of the page.

    Args:
        row: the draft, with its arms and audience.
        known: warehouse data for it, if queried already.
    """
    plan = plan_of(row)
    return [
        _power(plan, known),
        _placebo(plan),
        _others(plan),
        _guardrails(plan),
        _overlap(row, plan),
        *_rest(row, plan),
    ]


def _rest(row: Experiment, plan: Plan) -> Iterator[ReviewCheck]:
    yield _window(plan)
    yield _sample_ratio(row)
    yield _links(row)


def _power(plan: Plan, known: Known) -> ReviewCheck:
    """Power of the planned units for the planned effect, where the warehouse knows how many units come."""
    suggestion = known.size
    needed = None if suggestion is None or not computable(suggestion.planned_units) else suggestion.planned_units
    facts = {"planned": plan.planned_units, "needed": needed, "power": known.facts.power, "wanted": plan.power}
    if plan.planned_units is None:
        return ReviewCheck("power", CheckState.MISSING, facts)
    if known.facts.power is None:
        return ReviewCheck("power", CheckState.WARN, facts)
    return ReviewCheck("power", CheckState.OK if known.facts.power >= plan.power - MISSED else CheckState.WARN, facts)


def _placebo(plan: Plan) -> ReviewCheck:
    """A causal claim needs a placebo, or a reason why there is none; a plain A/B test needs neither."""
    if plan.claim is None:
        return ReviewCheck("placebo", CheckState.OK, {"needed": False, "arm": None})
    if plan.is_lab:
        return ReviewCheck("placebo", CheckState.WARN, {"needed": True, "arm": None, "nudges": len(plan.nudges)})
    arm = None if plan.placebo is None else plan.variants[plan.placebo].key
    return ReviewCheck(
        "placebo", CheckState.OK if arm is not None else CheckState.MISSING, {"needed": True, "arm": arm}
    )


def _others(plan: Plan) -> ReviewCheck:
    """Other behaviours that the nudge may move; without any, an effect through one of them isn't noticed."""
    facts = {"needed": plan.claim is not None, "n": len(plan.measured_beside if plan.is_lab else plan.others)}
    facts["consequences"] = sum(bool(other.consequence) for other in plan.others)
    return ReviewCheck("others", CheckState.OK if plan.claim is None or facts["n"] else CheckState.WARN, facts)


def _guardrails(plan: Plan) -> ReviewCheck:
    n, ruled = len(plan.guardrails), sum(name in plan.guardrail_rules for name in plan.guardrails)
    state = CheckState.MISSING if n == 0 else CheckState.OK if ruled == n else CheckState.WARN
    return ReviewCheck("guardrails", state, {"n": n, "with_margin": ruled})


def _overlap(row: Experiment, plan: Plan) -> ReviewCheck:
    """Live experiments that may enrol the same units: overlapping audiences, and no layer that separates them."""
    others = Experiment.objects.filter(status__in=[status.value for status in LIVE]).exclude(pk=row.pk)
    if row.layer_id is not None:
        others = others.exclude(layer=row.layer_id)
    mine = _segments(plan.audience)
    keys = [
        other.key
        for other in others.prefetch_related("audience").order_by("key")
        if _meet(mine, _segments(tuple(PlannedRow(part.segment_key, part.coverage) for part in other.audience.all())))
    ]
    return ReviewCheck("overlap", CheckState.WARN if keys else CheckState.OK, {"n": len(keys), "experiments": keys})


def _segments(rows: tuple[PlannedRow, ...]) -> frozenset[str] | None:
    """Segments with enrolment in an audience; None for everyone."""
    segments = [row.segment for row in rows if row.coverage > 0]
    if not rows or None in segments:
        return None
    return frozenset(name for name in segments if name is not None)


def _meet(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    """True when two audiences may overlap: both not empty for everyone, a common segment for lists."""
    if one is None or other is None:
        return one != frozenset() and other != frozenset()
    return bool(one & other)


def _window(plan: Plan) -> ReviewCheck:
    """Whether the behaviour's window ends before the outcome's begins (docs/methods/discovery.md, "Window guard")."""
    if plan.claim is None or not plan.primary:
        return ReviewCheck(
            "window", CheckState.OK if plan.claim is None else CheckState.MISSING, {"needed": plan.claim is not None}
        )
    days = [first for text in plan.primary if (first := _first_day(text)) is not None]
    facts = {"needed": True, "behaviour_days": plan.claim.days, "outcome_from": min(days, default=None)}
    return ReviewCheck("window", CheckState.OK if days and min(days) >= plan.claim.days else CheckState.MISSING, facts)


def _first_day(metric: str) -> int | None:
    try:
        return first_day(parse_metric(metric))
    except Refused:
        return None


def _sample_ratio(row: Experiment) -> ReviewCheck:
    """How many of the latest experiments had a broken split: about the site's set-up, not about this plan."""
    n, broken = 0, 0
    started = Experiment.objects.filter(started_at__isnull=False).exclude(pk=row.pk).order_by("-started_at")
    for other in started[:EARLIER]:
        last = Analysis.objects.filter(experiment=other, status="done").order_by("-pk").values_list("checks", flat=True)
        checks = last.first()
        if checks is not None:
            n += 1
            broken += any(isinstance(check, dict) and check.get("invalid") == "srm" for check in checks)
    return ReviewCheck("sample_ratio", CheckState.WARN if broken else CheckState.OK, {"n": n, "broken": broken})


def _links(row: Experiment) -> ReviewCheck:
    """URLs in the plan's texts, comments and notes, for example of the design or the ticket."""
    texts = [row.hypothesis, row.nudge]
    texts += PlanComment.objects.filter(experiment=row).values_list("text", flat=True)
    texts += ReviewTick.objects.filter(experiment=row).values_list("note", flat=True)
    links = list(dict.fromkeys(link.rstrip(".,;)") for text in texts for link in LINK.findall(text)))
    return ReviewCheck(
        "links", CheckState.OK if links else CheckState.WARN, {"n": len(links), "links": links[:EARLIER]}
    )


# The complete checklist of a review: checks filled in by the plan, a team's own checks, and ticks.


def checklist(row: Experiment, known: Known) -> list[ReviewCheck]:
    """All checks of a draft, each with its tick."""
    now = fingerprint(row)
    ticks = {tick.code: tick for tick in ReviewTick.objects.filter(experiment=row).select_related("by")}
    return [
        *(_with_reason(check, ticks.get(check.code), now) for check in filled(row, known)),
        *(_own(item, ticks.get(code_of(item)), now) for item in ReviewItem.objects.filter(active=True)),
    ]


def _with_reason(check: ReviewCheck, tick: ReviewTick | None, now: str) -> ReviewCheck:
    """A check with its tick's note; a noted reason replaces a missing placebo arm."""
    if tick is None:
        return check
    excused = check.code == "placebo" and check.state is CheckState.MISSING
    return replace(check, tick=tick, older=tick.fingerprint != now, state=CheckState.OK if excused else check.state)


def _own(item: ReviewItem, tick: ReviewTick | None, now: str) -> ReviewCheck:
    older = tick is not None and tick.fingerprint != now
    unticked = CheckState.MISSING if item.required else CheckState.WARN
    state = unticked if tick is None else CheckState.WARN if older else CheckState.OK
    return ReviewCheck(code_of(item), state, {}, item.shown, item.required, tick, older)
