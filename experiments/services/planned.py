"""A stored experiment as the analysis reads it: the plan that stands, its amendments, and an audit of its draws."""

import hashlib
import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.utils import timezone

from aha.models import AhaMoment
from experiments.answers import Asked
from experiments.bucketing import choose_all, read_units, unit_hashes
from experiments.models import AMENDABLE, Amendment, Assignment, Experiment, Variant
from experiments.plan import WHOLE
from experiments.services import config
from reporting.document import dump

if TYPE_CHECKING:
    from experiments.live_context import Audit
    from experiments.readout import Amended, Claim, Planned

# Precision, not volume: .1 % of 50,000 assignments are 50.
MOST_AUDITED = 50_000
USUAL_TIMES = 20
# Words and reminders: changing them changes no number.
WORDS = {"name", "hypothesis", "nudge", "remote_only"}


def planned_of(experiment: Experiment) -> "Planned":
    """The plan as it stands now, with everything that decides a number hashed."""
    from experiments.readout import Planned

    variants = list(experiment.variants.order_by("position"))
    given: dict[str, Any] = {
        "key": experiment.key,
        "name": experiment.name,
        "hypothesis": experiment.hypothesis,
        "nudge": experiment.nudge,
        "variants": tuple(variant.key for variant in variants),
        "placebo": next((v.key for v in variants[1:] if v.role == Variant.Role.PLACEBO), None),
        "doses": {v.key: v.dose for v in variants[1:] if v.role == Variant.Role.DOSE and v.dose is not None},
        "shares": _shares(experiment, variants),
        "primary": tuple(experiment.primary_metrics),
        "secondary": tuple(experiment.secondary_metrics),
        "guardrails": tuple(experiment.guardrail_metrics),
        "alpha": experiment.alpha,
        "power": experiment.power,
        "smallest_effect": experiment.smallest_effect,
        "take_up": experiment.expected_take_up,
        "planned_units": experiment.planned_units or 0,
        "planned_end": experiment.planned_end,
        "method": experiment.method,
        "looks": tuple(experiment.looks),
        "spending": experiment.spending,
        "covariates": tuple(experiment.covariates),
        "clock": experiment.clock,
        "day_mode": experiment.day_mode,
        "churn_gap": experiment.churn_gap,
        "started": _local(experiment.started_at) or timezone.localdate(),
        "enrolment_ended": _local(experiment.enrolment_closed_at or experiment.stopped_at),
        "claim": None if experiment.moment is None else _claim(experiment.moment),
    }
    plan = Planned(**given, amendments=_amendments(experiment), intact=is_intact(experiment))
    deciding = {name: value for name, value in dump(plan).items() if name not in WORDS}
    text = json.dumps(deciding, sort_keys=True, default=str)
    return Planned(**{**vars(plan), "definition": hashlib.sha256(text.encode()).hexdigest()})


def asked_of(experiment: Experiment, plan: "Planned") -> Asked:
    """The questions for the warehouse."""
    claim = plan.claim
    return Asked(
        experiment=plan.key,
        variants=plan.variants,
        outcomes=plan.outcomes,
        behaviour=None if claim is None else claim.behaviour,
        times=1 if claim is None else claim.times,
        days=1 if claim is None else claim.days,
        covariates=plan.covariates,
        signup_event=experiment.signup_event or "signup",
        clock=plan.clock,
        day_mode=plan.day_mode,
        churn_gap=plan.churn_gap,
        most_times=max(USUAL_TIMES, 0 if claim is None else claim.times),
    )


def audit_of(experiment: Experiment) -> "Audit":
    """Compute the draws of stored assignments again (the newest, at most 50,000) and count the assigned units by arm.

    Units with an override have no row, so every stored arm must be the draw's.
    """
    from experiments.live_context import Audit

    keys = dict(experiment.variants.values_list("pk", "key"))
    counted = Assignment.objects.filter(experiment=experiment).values("variant_id").annotate(n=Count("pk"))
    assigned = {keys[row["variant_id"]]: row["n"] for row in counted}
    rows = list(
        Assignment.objects.filter(experiment=experiment)
        .order_by("-pk")
        .values_list("unit", "variant_id", "segment_key")[:MOST_AUDITED]
    )
    if not rows:
        return Audit(0, 0, assigned)
    flag = config.flag_of(config.with_parts([experiment.key]).get())
    draws = unit_hashes(flag.seed, read_units([row[0] for row in rows]), version=flag.hash_version)
    by_segment = {row.segment: choose_all(draws, row.ranges) for row in flag.rows}
    differ = sum(
        row[2] in by_segment and (arm := int(by_segment[row[2]][place])) >= 0 and flag.arms[arm].pk != row[1]
        for place, row in enumerate(rows)
    )
    return Audit(len(rows), differ, assigned)


def is_intact(experiment: Experiment) -> bool:
    """True when every change of the plan since the start is a logged amendment.

    The doors and forms refuse anything else; this finds what was written past them, in the database or the shell.
    """
    started = experiment.history.filter(started_at__isnull=False).order_by("history_date", "history_id").first()
    if started is None:
        return True
    logged: dict[str, Any] = {}
    for changes in (
        Amendment.objects.filter(experiment=experiment).order_by("at", "id").values_list("changes", flat=True)
    ):
        logged |= {name: after for name, (_before, after) in changes.items()}
    for name in AMENDABLE:
        then = logged.get(name, _plain(getattr(started, name)))
        if name not in WORDS and then != _plain(getattr(experiment, name)):
            return False
    return True


def _shares(experiment: Experiment, variants: list[Variant]) -> dict[str, tuple[float, ...]]:
    own = tuple(variant.weight / WHOLE for variant in variants)
    rows = {
        row.segment_key or "": own if row.weights is None else tuple(weight / WHOLE for weight in row.weights)
        for row in experiment.audience.order_by("position")
    }
    return rows or {"": own}


def _claim(moment: AhaMoment) -> "Claim":
    from experiments.readout import Claim

    numbers = _promise(moment.evidence)
    return Claim(
        key=moment.key,
        name=str(moment),
        behaviour=moment.behaviour,
        times=moment.times,
        days=moment.days,
        retention=moment.retention,
        promised=numbers.get("estimate"),
        promised_low=numbers.get("low"),
        promised_high=numbers.get("high"),
    )


def _promise(evidence: Any) -> dict[str, float]:
    """The raw rung of the candidate's ladder: retention of those who did it minus that of the others."""
    rungs = evidence.get("ladder", {}).get("rungs", []) if isinstance(evidence, dict) else []
    raw = rungs[0].get("difference", {}) if rungs else {}
    return raw if "estimate" in raw else {}


def _amendments(experiment: Experiment) -> "tuple[Amended, ...]":
    from experiments.readout import Amended

    rows = Amendment.objects.filter(experiment=experiment).select_related("by").order_by("at", "id")
    return tuple(
        Amended(
            on=timezone.localdate(row.at),
            by="" if row.by is None else row.by.get_username(),
            why=row.why,
            changes={name: (_said(before), _said(after)) for name, (before, after) in row.changes.items()},
        )
        for row in rows
    )


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "–" if value is None else str(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _local(moment: datetime | None) -> date | None:
    return None if moment is None else timezone.localdate(moment)
