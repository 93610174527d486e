"""Recompute the draws of stored assignments: a stored arm that differs was written around our API."""

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from events.models import IdLink
from experiments.analyse.gather.answers import Audit
from experiments.draw.many_units import arms_drawn
from experiments.models import Assignment, Experiment
from experiments.plan.served import flag_of, with_parts

# A sample is precise enough: .1 % of 50,000 assignments are 50.
MOST_AUDITED = 50_000


def audit_of(experiment: Experiment) -> Audit:
    """Recompute the draws of stored assignments (the newest, at most 50,000) and count the assigned units by arm.

    Since 0.5 only units that a server key requested are counted. Units with an override have no row, so every stored
    arm must be the draw's: of the unit, or of the id by which the person drew first.
    """
    keys = dict(experiment.variants.values_list("pk", "key"))
    persons = Assignment.objects.filter(experiment=experiment)
    if experiment.client_new_ids is not None:  # requests for made-up ids create rows of units without exposures
        persons = persons.filter(Q(visit="") | Q(named_at__isnull=False))
    if IdLink.objects.filter(state=IdLink.State.HOLDS).exists():  # a person with two ids has a row for each
        held = IdLink.objects.filter(state=IdLink.State.HOLDS, visitor=OuterRef("unit"))
        persons = persons.filter(~Exists(held))
    counted = persons.values("variant_id").annotate(n=Count("pk"))
    assigned = {keys[row["variant_id"]]: row["n"] for row in counted}
    rows = list(
        Assignment.objects.filter(experiment=experiment)
        .order_by("-pk")
        .values_list(Coalesce("drawn_by", "unit"), "variant_id", "segment_key", "cluster")[:MOST_AUDITED]
    )
    if not rows:
        return Audit(0, 0, assigned)
    flag = flag_of(with_parts([experiment.key]).get())
    units, clusters = [row[0] for row in rows], [row[3] for row in rows]
    by_segment = {row.segment: arms_drawn(flag, row, units, clusters) for row in flag.rows}
    differ = sum(
        row[2] in by_segment and (arm := int(by_segment[row[2]][place])) >= 0 and flag.arms[arm].pk != row[1]
        for place, row in enumerate(rows)
    )
    return Audit(len(rows), differ, assigned)
