"""Store the findings of experiments about a behaviour, and read their pooled result."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Max, Q

from aha.evidence.expected_gain import PastKnowledge, knowledge
from aha.evidence.findings import (
    Definition,
    OutcomeMoments,
    PastExperiments,
    PastFinding,
    pool_findings,
    same_behaviour,
    usual_definition,
)
from aha.models import Finding
from events.metrics import parse_behaviour, parse_metric
from reporting.document import dump, load
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


def keep_findings(findings: list[PastFinding], *, analysis: str = "", by: User | None = None) -> list[Finding]:
    """Store the findings of one experiment's arms; existing rows stay unchanged.

    Args:
        findings: findings of one experiment.
        analysis: primary key of its analysis as text; empty for a file.
        by: the user who imports a file.

    Raises:
        Refused: for a definition or a name that a row can't hold.
    """
    rows = []
    with transaction.atomic():
        for finding in findings:
            parse_behaviour(finding.definition.behaviour)
            parse_metric(finding.definition.outcome)
            known = Finding.objects.filter(
                origin=finding.origin, source=finding.source, variant=finding.variant
            ).first()
            if known is None:
                known = _row(finding, analysis, by)
                known.full_clean(validate_unique=False)
                known.save()
            rows.append(known)
    return rows


def refuse_double(findings: list[PastFinding]) -> None:
    """Refuse findings whose moments, or whose origin, source and variant, are stored already.

    Raises:
        Refused: one of them is a duplicate.
    """
    for finding in findings:
        same = {name: getattr(finding.moments, name) for name in MOMENTS[:-1]}
        plain = {name: same.pop(name.removeprefix("plain_")) for name in PLAIN}
        moments = {name.removeprefix("plain_"): value for name, value in plain.items()}
        known = Finding.objects.filter(Q(**moments) | Q(**plain), **same).first()
        if known is not None:
            raise Refused(
                "These very numbers are stored already, as {name!r} ({source}, {variant}): evidence counts once.",
                name=known.name,
                source=known.source,
                variant=known.variant,
            )
        if Finding.objects.filter(origin=finding.origin, source=finding.source, variant=finding.variant).exists():
            raise Refused(
                "A finished test named {name!r} is stored already, and findings are never changed. Give another name.",
                name=finding.source,
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


def add_plain(finding: PastFinding, analysis: str) -> None:
    """Add uncorrected moments to the stored finding of an analysis and variant, unless it has them."""
    rows = Finding.objects.filter(origin=finding.origin, analysis=analysis, variant=finding.variant, caution=CORRECTED)
    rows.filter(plain_itt__isnull=True).update(**_plain(finding), **_shared(finding))


def replace_outcomes(finding: PastFinding, outcomes: Sequence[OutcomeMoments]) -> None:
    """Keep what an experiment said when it was asked again, for joint readings; its own moments stay."""
    rows = Finding.objects.filter(origin=finding.origin, source=finding.source, variant=finding.variant)
    rows.filter(behaviour=finding.definition.behaviour, outcome=finding.definition.outcome).update(
        outcomes=[dump(outcome) for outcome in outcomes]
    )


def _row(past_finding: PastFinding, analysis: str, by: User | None) -> Finding:
    finding = past_finding if past_finding.corrected is None else replace(past_finding, caution=CORRECTED)
    return Finding(
        analysis=analysis,
        created_by=by,
        whole_clusters=past_finding.whole_clusters,
        outcomes=[dump(outcome) for outcome in past_finding.outcomes],
        **{name: getattr(finding, name) for name in COLUMNS},
        **{name: getattr(past_finding.definition, name) for name in DEFINITION},
        **{name: getattr(past_finding.corrected or past_finding.moments, name) for name in MOMENTS},
        **({} if past_finding.corrected is None else _plain(past_finding)),
        **_shared(past_finding),
    )


def _plain(finding: PastFinding) -> dict[str, float]:
    return {name: getattr(finding.moments, name.removeprefix("plain_")) for name in PLAIN}


def _shared(finding: PastFinding) -> dict[str, float]:
    return (
        {}
        if finding.shared is None
        else {name: getattr(finding.shared, name.removeprefix("control_")) for name in SHARED}
    )


def _record(row: Finding) -> PastFinding:
    shared = [getattr(row, name) for name in SHARED]
    moments = IvMoments(*(getattr(row, name) for name in MOMENTS))
    plain: dict[str, Any] = {name.removeprefix("plain_"): getattr(row, name) for name in PLAIN}
    # Version 0.4 assigned clusters as wholes, or compared nudged units with clusters without nudge.
    whole = row.degrees_of_freedom is not None if row.whole_clusters is None else row.whole_clusters
    finding = PastFinding(
        whole_clusters=whole,
        definition=Definition(*(getattr(row, name) for name in DEFINITION)),
        moments=moments,
        shared=None if None in shared else SharedControl(*shared),
        outcomes=tuple(load(OutcomeMoments, outcome) for outcome in row.outcomes),
        **{name: getattr(row, name) for name in COLUMNS},
    )
    if None in plain.values():
        return finding
    return replace(finding, moments=replace(moments, **plain), corrected=moments, caution="")


# Pooled results for a definition, cached until a finding is added.

SECONDS = 24 * 3600  # the key contains the newest finding, so that no stale result is read


def state_of_findings() -> str:
    """Cache key of the stored findings: changes with each added finding or added uncorrected moments."""
    counts = {"newest": Max("pk"), "count": Count("pk"), "plain": Count("plain_itt")}
    return ":".join(str(value) for value in Finding.objects.aggregate(**counts).values())


def past_experiments(definition: Definition, state: str | None = None) -> PastExperiments:
    """Pool all findings of a behaviour on one definition; cached.

    Args:
        definition: the definition to pool.
        state: `state_of_findings`, for callers that pool many; None reads it from the database.
    """
    name = hashlib.sha256(repr(definition.same).encode()).hexdigest()  # a cache key may hold no blanks
    key = f"aha.pool:own:{state or state_of_findings()}:{name}"
    past: PastExperiments | None = cache.get(key)
    if past is None:
        past = pool_findings(all_findings(), definition)
        cache.set(key, past, SECONDS)
    return past


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
