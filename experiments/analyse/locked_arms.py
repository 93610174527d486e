"""Experiments with a locked outcome and the exposed units of their arms; used by `events.arm_marks`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from django.db.models import OuterRef, Q, Subquery

from events.arm_marks import LockedArms
from events.asking import Questions
from experiments.analyse.gather import queries
from experiments.analyse.gather.admitting import admitted
from experiments.analyse.gather.sender_rule import rule_of
from experiments.models import Analysis, Experiment
from experiments.plan.derived import asked as asked_of
from experiments.plan.stored import plan_of, planned_of

if TYPE_CHECKING:
    import ibis.expr.types as ir

RUNNING = (Experiment.Status.RUNNING, Experiment.Status.PAUSED, Experiment.Status.STOPPED)


def locked_arms() -> list[LockedArms]:
    """Started experiments whose latest analysis doesn't show the outcome; a peek doesn't unlock it."""
    rows = [row for row in _latest() if not row.found_figures or row.found_peek]  # type: ignore[attr-defined]
    plans = [(row, planned_of(row)) for row in rows]
    # Rows without variants, which no start allows, have no arms to compare.
    return [
        LockedArms(row.key, row.version, tuple(plan.shares.values()), partial(_units, row))
        for row, plan in plans
        if plan.variants
    ]


def _latest() -> list[Experiment]:
    done = Analysis.objects.filter(experiment=OuterRef("pk"), status=Analysis.Status.DONE).order_by("-pk")
    found = Experiment.objects.filter(status__in=RUNNING).select_related("moment", "layer", "holdout")
    final = Q(pk__in=Analysis.objects.filter(status=Analysis.Status.DONE, final=True).values("experiment"))
    return list(
        found.exclude(final).annotate(
            found_figures=Subquery(done.values("figures")[:1]), found_peek=Subquery(done.values("peek")[:1])
        )
    )


@contextmanager
def _units(row: Experiment, store: Questions) -> Iterator[ir.Table]:
    """``user_id, cell`` of the units that the experiment's analysis would count, each in its first arm."""
    import ibis

    asked, shares = asked_of(plan_of(row)), planned_of(row).shares
    with store.warehouse.kept(queries.exposures(store.log, asked, store.basis)) as exposures:
        variants, clustered = tuple(asked.variants), asked.clustered
        counted = admitted(store, exposures, rule_of(row), variants=variants, clustered=clustered).deciding
        met = queries.met(counted, variants)
        one = met.filter(met.variant.isin(variants))
        strata = [(one.segment == name, place * len(asked.variants)) for place, name in enumerate(shares)]
        arms = [(one.variant == key, place) for place, key in enumerate(asked.variants)]
        cell = ibis.cases(*strata, else_=0) + ibis.cases(*arms, else_=0)
        yield one.select("user_id", cell=cell.cast("int32"))
