"""Which exposures of a stored experiment count, by who sent them (METHODS 4.2; docs/security.md)."""

from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext

from events.models import Source
from experiments.analyse.gather.admission import Bools, Rule, drawn
from experiments.models import Assignment, Experiment
from experiments.plan.derived import senders
from experiments.plan.stored import plan_of
from experiments.serve import config
from runs.refusals import Refused

UNITS_AT_A_TIME = 5_000


def rule_of(experiment: Experiment) -> Rule:
    """The rule of a started experiment: whose client keys are heard, and which arm is whose.

    Only the units of client keys come here, never more: everything else is decided inside the warehouse.
    """
    flag = config.flag_of(config.with_parts([experiment.key]).get())
    keys = {arm.pk: arm.key for arm in flag.arms}

    def owed(units: Sequence[str], arms: Sequence[str]) -> Bools:
        stored: dict[str, str] = {}
        for at in range(0, len(units), UNITS_AT_A_TIME):
            some = Assignment.objects.filter(experiment=experiment, unit__in=units[at : at + UNITS_AT_A_TIME])
            rows = some.values_list("unit", "variant_id")
            stored |= {unit: keys[variant] for unit, variant in rows}
        found = np.array([stored.get(unit) == arm for unit, arm in zip(units, arms, strict=True)], dtype=np.bool_)
        new = [place for place, unit in enumerate(units) if unit not in stored]
        found[new] = drawn(flag, [units[place] for place in new], [arms[place] for place in new])
        return found

    return Rule(senders(plan_of(experiment)), owed, dict(Source.objects.values_list("pk", "name")))


def only_source() -> list[int]:
    """The one source of a site that has one, else none: of several a person must say which show the experiment."""
    found = list(Source.objects.values_list("pk", flat=True)[:2])
    return found if len(found) == 1 else []


def check_sources(numbers: Sequence[int]) -> list[int]:
    """Numbers of sources, each once and in order.

    Raises:
        Refused: for a number that no source has.
    """
    known = set(Source.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    strange = sorted(set(numbers) - known)
    if strange:
        raise Refused(gettext("There is no source {number}.").format(number=strange[0]))
    return sorted(known)
