"""Placebo and dose arms in the steps: proposals on the page of the arms, and their power beside the size."""

from hashlib import sha256
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan.nudge_arms.acts_before import Before, acts_before
from experiments.plan.nudge_arms.arms_of_plan import arms_of, subject_of
from experiments.plan.nudge_arms.arms_power import proposed_targets
from experiments.plan.size import Suggestion
from experiments.report.planning.arms_words import arms_rows
from experiments.steps.arms_form import Arms
from runs.refusals import Refused

BEFORE_SECONDS = 600  # same as for the inflow


def lines(row: Experiment, found: Suggestion) -> list[tuple[str, str]]:
    """Power of the arms in the given row, or of proposed ones; empty without a moment."""
    if row.moment is None:
        return []
    try:
        told = arms_of(row, found, before=_before(row))
    except Refused as refusal:
        return [(_("What they could tell"), refusal.sentence)]
    return [] if told is None else arms_rows(told)


def proposed(row: Experiment, data: Any) -> Any:
    """The form of the arms with a placebo, or dose arms, added to its rows, and equal weights.

    Nothing is stored before the person continues.
    """
    data, times = data.copy(), 1 if row.moment is None else row.moment.times
    kept = [at for at in range(_rows(data)) if data.get(f"arms-{at}-key", "").strip()]
    present = {data.get(f"arms-{at}-dose", "").strip() or data.get(f"arms-{at}-role", "") for at in kept[1:]}
    value = data.get(f"arms-{kept[-1]}-value", "") if kept else ""
    if data["propose"] == "placebo":
        new = [] if "placebo" in present else [("placebo", "placebo", "")]
    else:
        doses = [str(target) for target in proposed_targets(times) if target != times]
        new = [(f"dose-{target}", "dose", target) for target in doses if target not in present]
    at = _rows(data)
    for key, role, dose in new:
        for name, given in (("key", key), ("name", ""), ("value", value), ("role", role), ("dose", dose)):
            data[f"arms-{at}-{name}"] = given
        kept.append(at)
        at += 1
    data["arms-TOTAL_FORMS"] = str(at)
    for place, share in zip(kept, _equal(len(kept)), strict=True):
        data[f"arms-{place}-weight"] = share
    return Arms(data, prefix="arms")


def _rows(data: Any) -> int:
    text = str(data.get("arms-TOTAL_FORMS", ""))
    return int(text) if text.isdecimal() else 0


def _equal(arms: int) -> list[str]:
    """Equal weights in per cent with two decimals that add up to 100: the first ones get the rounding remainder."""
    if not arms:
        return []
    each, rest = divmod(10_000, arms)
    return [f"{(each + (at < rest)) / 100:g}" for at in range(arms)]


def _before(row: Experiment) -> Before:
    subject = subject_of(row)
    key = f"acts-before:{sha256(repr(subject).encode()).hexdigest()}"
    found: Before | None = cache.get(key)
    if found is None:
        found = acts_before(subject)[""]
        cache.set(key, found, BEFORE_SECONDS)
    return found
