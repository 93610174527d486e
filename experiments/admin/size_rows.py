"""The suggested size of a plan, as lines of the admin's page."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.utils.translation import gettext

from experiments.plan import size
from experiments.plan_page.saved_rows import saved_rows
from reporting.numbers import between, count, decimal, effect_text, percent, significant
from reporting.words import reason_words
from stats.power.cluster_sizes import ClusterLaw
from stats.results import NotComputable


def size_rows(found: size.Suggestion) -> list[tuple[Any, Any]]:
    """Lines of the page; a number that can't be computed is replaced by its reason."""
    inflow = found.inflow

    def say(value: Any, write: Callable[[Any], str] = str) -> str:
        return reason_words(value) if isinstance(value, NotComputable) else write(value)

    outcome = percent if inflow.sd is None else significant
    effect = partial(effect_text, share=inflow.sd is None, plus=True)
    rows: list[tuple[Any, Any]] = [
        (gettext("Units that arrived"), f"{count(inflow.units)} ({between(str(inflow.first), str(inflow.last))})"),
        (gettext("Units a day"), decimal(inflow.per_day, 1)),
        (gettext("Outcome without the nudge"), say(inflow.base, outcome)),
        (gettext("Share of them that is enrolled"), say(found.coverage, percent)),
        (gettext("Expected take-up"), say(found.take_up, percent)),
        (gettext("Smallest effect of interest"), say(found.smallest_effect, effect)),
        (gettext("Effect it is sized for"), say(found.planned_effect, effect)),
        (gettext("Planned units"), say(found.planned_units, count)),
        (gettext("Days until the last outcome is known"), say(found.days, count)),
        (gettext("End of enrolment if it started today"), say(found.planned_end)),
        (gettext("Result on"), say(found.result_on)),
        (gettext("Level of one comparison"), say(found.level, partial(percent, digits=2))),
        (gettext("Units, as a multiple of one look's"), say(found.inflation, partial(decimal, digits=3))),
        (
            gettext("Chance to conclude no effect that matters, if there is none"),
            say(found.power_no_material_effect, partial(percent, digits=0)),
        ),
    ]
    if found.power_to_ship is not None:
        chance = say(found.power_to_ship, partial(percent, digits=0))
        rows.append((gettext("Chance to ship a true success, at least"), chance))
    if inflow.clusters is not None:
        rows.append((gettext("Clusters in these weeks"), say(inflow.clusters, _law)))
    if inflow.reach is not None:
        rows.insert(3, (gettext("Reach the AHA moment without the nudge"), say(inflow.reach, percent)))
    return [*rows, *saved_rows(found)]


def _law(law: ClusterLaw) -> str:
    """Number, sizes, intraclass correlation and design effect of clusters."""
    text = gettext(
        "{clusters} of {size} units on average (coefficient of variation {variation}); intraclass correlation "
        "{correlation} ({low} to {high}), which makes units cost {effect} times as many"
    )
    return text.format(
        clusters=count(law.clusters),
        size=decimal(law.mean_size, 1),
        variation=decimal(law.variation, 2),
        correlation=decimal(law.correlation, 3),
        low=decimal(law.low, 3),
        high=decimal(law.high, 3),
        effect=decimal(law.design_effect, 2),
    )
