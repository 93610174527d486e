"""Store the findings of experiments about a behaviour, and read their pooled result."""

import hashlib
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Max, Q

from aha.evidence.expected_gain import PastKnowledge, knowledge
from aha.evidence.findings import (
    Definition,
    PastExperiments,
    PastFinding,
    pool_findings,
    same_behaviour,
    usual_definition,
)
from aha.models import Finding
from events.metrics import parse_behaviour, parse_metric
from runs.refusals import Refused
from stats.instrument.pooled_sets import SharedControl
from stats.iv_moments import IvMoments

# Findings of experiments as rows: store one, read those of a behaviour.
#
# Rows are only ever added; a row of version 0.4 may get its uncorrected moments once.

MOMENTS = ("itt", "first_stage", "v_r", "v_d", "c_rd", "n_control", "n_variant", "degrees_of_freedom")
COLUMNS = (
    *("name", "origin", "source", "variant", "comparator", "placebo", "place", "kind", "reach", "promised"),
    *("promised_error", "verdict", "caution", "started", "ended"),
)
SHARED = ("control_v_r", "control_v_d", "control_c_rd")
PLAIN = ("plain_itt", "plain_v_r", "plain_c_rd")
CORRECTED = "corrected"
DEFINITION = ("behaviour", "times", "days", "outcome")


def keep_findings(found: list[PastFinding], *, analysis: str = "", by: User | None = None) -> list[Finding]:
    """Store the findings of one experiment's arms; existing rows stay unchanged.

    Args:
        found: findings of one experiment.
        analysis: primary key of its analysis as text; empty for a file.
        by: the user who imports a file.

    Raises:
        Refused: for a definition or a name that a row can't hold.
    """
    rows = []
    with transaction.atomic():
        for one in found:
            parse_behaviour(one.definition.behaviour)
            parse_metric(one.definition.outcome)
            known = Finding.objects.filter(origin=one.origin, source=one.source, variant=one.variant).first()
            if known is None:
                known = _row(one, analysis, by)
                known.full_clean(validate_unique=False)
                known.save()
            rows.append(known)
    return rows


def refuse_double(found: list[PastFinding]) -> None:
    """Refuse findings whose moments, or whose origin, source and variant, are stored already.

    Raises:
        Refused: one of them is a duplicate.
    """
    for one in found:
        same = {name: getattr(one.moments, name) for name in MOMENTS[:-1]}
        plain = {name: same.pop(name.removeprefix("plain_")) for name in PLAIN}
        kept = {name.removeprefix("plain_"): value for name, value in plain.items()}
        known = Finding.objects.filter(Q(**kept) | Q(**plain), **same).first()
        if known is not None:
            raise Refused(
                "These very numbers are kept already, as {name!r} ({source}, {variant}): evidence counts once.",
                name=known.name,
                source=known.source,
                variant=known.variant,
            )
        if Finding.objects.filter(origin=one.origin, source=one.source, variant=one.variant).exists():
            raise Refused(
                "A finished test named {name!r} is kept already, and findings are never changed. Give another name.",
                name=one.source,
            )


def all_findings() -> tuple[PastFinding, ...]:
    """Every stored finding, the oldest first."""
    return tuple(_record(row) for row in Finding.objects.order_by("started", "pk"))


def findings_of(behaviour: str) -> tuple[PastFinding, ...]:
    """Findings about one behaviour, on any definition.

    Raises:
        Refused: a behaviour that can't be read.
    """
    parse_behaviour(behaviour)
    return tuple(row for row in all_findings() if same_behaviour(row.definition.behaviour, behaviour))


def lacking_plain() -> list[tuple[str, str]]:
    """Analysis and variant of the findings of version 0.4 that store only corrected moments."""
    rows = Finding.objects.filter(origin=Finding.Origin.EXPERIMENT, caution=CORRECTED, plain_itt__isnull=True)
    return list(rows.exclude(analysis="").order_by("pk").values_list("analysis", "variant"))


def add_plain(one: PastFinding, analysis: str) -> None:
    """Add uncorrected moments to the stored finding of an analysis and variant, unless it has them."""
    kept = Finding.objects.filter(origin=one.origin, analysis=analysis, variant=one.variant, caution=CORRECTED)
    kept.filter(plain_itt__isnull=True).update(**_plain(one), **_shared(one))


def _row(one: PastFinding, analysis: str, by: User | None) -> Finding:
    told = one if one.corrected is None else replace(one, caution=CORRECTED)
    return Finding(
        analysis=analysis,
        created_by=by,
        whole_clusters=one.whole_clusters,
        **{name: getattr(told, name) for name in COLUMNS},
        **{name: getattr(one.definition, name) for name in DEFINITION},
        **{name: getattr(one.corrected or one.moments, name) for name in MOMENTS},
        **({} if one.corrected is None else _plain(one)),
        **_shared(one),
    )


def _plain(one: PastFinding) -> dict[str, float]:
    return {name: getattr(one.moments, name.removeprefix("plain_")) for name in PLAIN}


def _shared(one: PastFinding) -> dict[str, float]:
    return {} if one.shared is None else {name: getattr(one.shared, name.removeprefix("control_")) for name in SHARED}


def _record(row: Finding) -> PastFinding:
    shared = [getattr(row, name) for name in SHARED]
    kept = IvMoments(*(getattr(row, name) for name in MOMENTS))
    plain: dict[str, Any] = {name.removeprefix("plain_"): getattr(row, name) for name in PLAIN}
    # Version 0.4 assigned clusters as wholes, or compared nudged units with clusters without nudge.
    whole = row.degrees_of_freedom is not None if row.whole_clusters is None else row.whole_clusters
    found = PastFinding(
        whole_clusters=whole,
        definition=Definition(*(getattr(row, name) for name in DEFINITION)),
        moments=kept,
        shared=None if None in shared else SharedControl(*shared),
        **{name: getattr(row, name) for name in COLUMNS},
    )
    if None in plain.values():
        return found
    return replace(found, moments=replace(kept, **plain), corrected=kept, caution="")


# Pooled results for a definition, cached until a finding is added.

SECONDS = 24 * 3600  # the key contains the newest finding, so that no stale result is read


def state_of_findings() -> str:
    """Cache key of the stored findings: changes with each added finding or added uncorrected moments."""
    counts = {"newest": Max("pk"), "count": Count("pk"), "plain": Count("plain_itt")}
    return ":".join(str(one) for one in Finding.objects.aggregate(**counts).values())


def past_experiments(definition: Definition, state: str | None = None) -> PastExperiments:
    """Pool all findings of a behaviour on one definition; cached.

    Args:
        definition: the definition to pool.
        state: `state_of_findings`, for callers that pool many; None reads it from the database.
    """
    name = hashlib.sha256(repr(definition.same).encode()).hexdigest()  # a cache key may hold no blanks
    key = f"aha.pool:own:{state or state_of_findings()}:{name}"
    found: PastExperiments | None = cache.get(key)
    if found is None:
        found = pool_findings(all_findings(), definition)
        cache.set(key, found, SECONDS)
    return found


def pool_behaviour(
    behaviour: str, *, times: int | None = None, days: int | None = None, outcome: str | None = None
) -> PastExperiments:
    """Pool past experiments with a behaviour, on the definition that most of them share.

    Args:
        behaviour: behaviour text.
        times, days, outcome: only definitions with these.

    Raises:
        Refused: a definition that can't be read, or no finding on it.
    """
    rows = findings_of(behaviour)
    definition = usual_definition(rows, behaviour, times=times, days=days, outcome=outcome)
    if definition is None:
        raise Refused("No finished experiment says anything about '{behaviour}' so defined.", behaviour=behaviour)
    return past_experiments(definition)


def price_of_promises() -> PastKnowledge:
    """All findings, and the ratio of effect to promise estimated from them."""
    return knowledge(all_findings())
