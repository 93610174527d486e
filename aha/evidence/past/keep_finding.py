"""Findings of experiments as rows: keep one, read those of a behaviour. Rows are only ever added."""

from django.contrib.auth.models import User
from django.db import transaction

from aha.evidence.past.finding_rows import Definition, PastFinding, same_behaviour
from aha.models import Finding
from events.metrics import parse_behaviour, parse_metric
from runs.refusals import Refused
from stats.instrument.five_moments import IvMoments
from stats.instrument.pooling.stack import SharedControl

MOMENTS = ("itt", "first_stage", "v_r", "v_d", "c_rd", "n_control", "n_variant", "degrees_of_freedom")
COLUMNS = (
    *("name", "origin", "source", "variant", "comparator", "placebo", "place", "kind", "reach", "promised"),
    *("promised_error", "verdict", "caution", "started", "ended"),
)
SHARED = ("control_v_r", "control_v_d", "control_c_rd")
DEFINITION = ("behaviour", "times", "days", "outcome")


def keep_findings(found: list[PastFinding], *, analysis: str = "", by: User | None = None) -> list[Finding]:
    """Keep what the arms of one experiment say; what is there already stays as it is.

    Args:
        found: of one experiment.
        analysis: its row as text; empty of a file.
        by: who imports a file.

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
    """Evidence counts once: an experiment under another name has the very same moments.

    Raises:
        Refused: one of them is kept already.
    """
    for one in found:
        same = {name: getattr(one.moments, name) for name in MOMENTS[:-1]}
        known = Finding.objects.filter(**same).first()
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
    """Every finding that is kept, the oldest first."""
    return tuple(_record(row) for row in Finding.objects.order_by("started", "pk"))


def findings_of(behaviour: str) -> tuple[PastFinding, ...]:
    """Findings about one behaviour, on whatever definition.

    Raises:
        Refused: a behaviour that can't be read.
    """
    parse_behaviour(behaviour)
    return tuple(row for row in all_findings() if same_behaviour(row.definition.behaviour, behaviour))


def _row(one: PastFinding, analysis: str, by: User | None) -> Finding:
    return Finding(
        analysis=analysis,
        created_by=by,
        **{name: getattr(one, name) for name in COLUMNS},
        **{name: getattr(one.definition, name) for name in DEFINITION},
        **{name: getattr(one.moments, name) for name in MOMENTS},
        **({} if one.shared is None else {name: getattr(one.shared, name.removeprefix("control_")) for name in SHARED}),
    )


def _record(row: Finding) -> PastFinding:
    shared = [getattr(row, name) for name in SHARED]
    return PastFinding(
        definition=Definition(*(getattr(row, name) for name in DEFINITION)),
        moments=IvMoments(*(getattr(row, name) for name in MOMENTS)),
        shared=None if None in shared else SharedControl(*shared),
        **{name: getattr(row, name) for name in COLUMNS},
    )
