"""Which exposures of a stored experiment count, by who sent them (docs/methods/integrity.md; docs/security.md)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched

import numpy as np

from events.identity.persons import visitors_of
from events.models import Source
from experiments.analyse.gather.admission import AdmissionRule, Bools, drawn
from experiments.analyse.gather.newcomers import NEVER, Evaluated
from experiments.models import Assignment, Experiment, Rollout
from experiments.plan.derived import senders
from experiments.plan.served import flag_of, with_parts
from experiments.plan.stored import plan_of

UNITS_AT_A_TIME = 5_000
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def rule_of(experiment: Experiment) -> AdmissionRule:
    """The rule of a started experiment: which sources are accepted, and which arm each unit should have.

    It only checks units reported by client keys: everything else is decided inside the warehouse.
    """
    flag = flag_of(with_parts([experiment.key]).get())
    keys = {arm.pk: arm.key for arm in flag.arms}

    def owed(units: Sequence[str], arms: Sequence[str], clusters: Sequence[str]) -> Bools:
        found = own(units, arms, clusters)
        # An arm assigned to a visitor before login is the person's own too: the log has the user's id.
        others = visitors_of({unit for unit, is_own in zip(units, found, strict=True) if not is_own})
        places = [(at, name) for at, unit in enumerate(units) if not found[at] for name in others.get(unit, ())]
        theirs = own([name for _, name in places], *([column[at] for at, _ in places] for column in (arms, clusters)))
        for (at, _), is_own in zip(places, theirs, strict=True):
            found[at] |= is_own
        return found

    def own(units: Sequence[str], arms: Sequence[str], clusters: Sequence[str]) -> Bools:
        stored: dict[str, set[str]] = {}
        for at in range(0, len(units), UNITS_AT_A_TIME):
            some = Assignment.objects.filter(experiment=experiment, unit__in=units[at : at + UNITS_AT_A_TIME])
            rows = some.values_list("unit", "variant_id", "former_variant")
            stored |= {unit: {keys[pk] for pk in (arm, former) if pk in keys} for unit, arm, former in rows}
        found = np.array([arm in stored.get(unit, ()) for unit, arm in zip(units, arms, strict=True)], dtype=np.bool_)
        new = [place for place, unit in enumerate(units) if unit not in stored]
        found[new] = drawn(flag, *([column[place] for place in new] for column in (units, arms, clusters)))
        return found

    def evaluated(units: Sequence[str]) -> Evaluated:
        place = {unit: at for at, unit in enumerate(units)}
        others = visitors_of(place)
        belongs = {name: unit for unit, names in others.items() for name in names} | {unit: unit for unit in units}
        first = np.full(len(units), NEVER)
        named, visits = np.zeros(len(units), dtype=np.bool_), np.full(len(units), "", dtype="<U8")
        for asked in batched(belongs, UNITS_AT_A_TIME):
            some = Assignment.objects.filter(experiment=experiment, unit__in=asked)
            for unit, moment, visit, named_at in some.values_list("unit", "assigned_at", "visit", "named_at"):
                row = place[belongs[unit]]
                named[row] |= not visit or named_at is not None
                if (when := (moment - EPOCH) // MICROSECOND) < first[row]:
                    first[row], visits[row] = when, visit
        return Evaluated(first, named, visits)

    until = Rollout.objects.filter(experiment=experiment).values_list("first_at", flat=True).first()
    names = dict(Source.objects.values_list("pk", "name"))
    return AdmissionRule(
        senders(plan_of(experiment)), owed, names, until, evaluated=evaluated, new_ids=experiment.client_new_ids
    )
