"""Drafts of plans: new ones, copies, and drafts that test an AHA moment. A draft may be changed freely."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from aha import made_names
from aha.evidence.store_findings import findings_of, price_of_promises
from aha.models import AhaMoment
from aha.moments.claims import promised
from events.metrics import plain_name
from experiments.models import AudienceRow, Experiment, Holdout, Layer, PlanTemplate, TemplateUse, Variant
from experiments.plan.catalogue_metrics import copy_choices, is_news, keep_choices, take_over
from experiments.plan.fields import Enrolment, ExperimentKind, ValueType
from experiments.plan.lab import HALF, LEAST_NUDGES, LONGEST_KEY, RESERVED, USUAL_TAKE_UP, can_be_drawn, variants_of
from experiments.plan.lifecycle import Status
from experiments.plan.others import proposed_others
from experiments.plan.planned_power import Inflow
from experiments.plan.record import COPIED, MOST_NUDGES, WHOLE, PlannedNudge
from experiments.plan.size import base_rate_and_inflow, from_study, sized
from experiments.plan.stored import locked, save_plan
from experiments.plan.templates import FIELDS, Content, refuse_fixed
from reporting.document import dump
from runs.models import key_from
from runs.refusals import Refused
from segments.published.members import find_segment
from stats.results import computable

VARIANTS = (
    {"key": "control", "value": False, "weight": WHOLE // 2},
    {"key": "nudge", "value": True, "weight": WHOLE // 2},
)
# Smallest effect of interest as a share of the promise: a tenth would still be worth acting on. It is also the
# margin of the verdict "no effect that matters": with the whole promise there, a real effect of a quarter of it
# would be called immaterial, and the moment refuted.
SHARE_OF_PROMISE = 0.1
LEAST_EFFECT = 0.01
# With fewer than five findings: plan for half of the evidence ladder's headline.
HOPED_FOR = 0.5
LEAST_MOVED = 0.01  # what a lab plans with isn't taken from a nudge that moved less
STEP_SAVED = "step:"  # prefix of the history reason when a person saved a step


def create_draft(
    *,
    key: str,
    variants: Sequence[Mapping[str, Any]] | None = None,
    audience: Sequence[Mapping[str, Any]] = (),
    by: User | None = None,
    **fields: Any,
) -> Experiment:
    """Create a draft, with the active holdout unless `holdout` is given.

    Args:
        key: of the experiment; also of its flag unless `flag_key` is given.
        variants: fields of `Variant` in order, the control first; `position` is added, weights are in steps of 0.01 %.
            None for a lab: they are made of its nudges, as type and default of its values are.
        audience: fields of `AudienceRow` in order; none means everyone.
        by: the account that creates it.
        fields: of `Experiment`; outcomes may name metrics of the catalogue.

    Raises:
        Refused: for a field that can't hold its value, a key that exists, a metric that can't be picked, or variants of
            a lab.
    """
    taken = take_over(fields)
    fields, variants = with_sets(taken.fields, variants)
    if "holdout" not in fields:
        fields["holdout"] = Holdout.objects.filter(active=True).first()
    experiment = Experiment(**{"key": key, "flag_key": key, "name": key, "created_by": by, **fields})
    with transaction.atomic():
        save_plan(experiment, by, "created")
        _replace(experiment, variants or (), audience)
        keep_choices(experiment, taken.versions)
    return experiment


def update_draft(
    *,
    key: str,
    variants: Sequence[Mapping[str, Any]] | None = None,
    audience: Sequence[Mapping[str, Any]] | None = None,
    by: User | None = None,
    why: str = "changed",
    **fields: Any,
) -> Experiment:
    """Change a draft; None leaves variants or audience unchanged. `why` is stored in its history.

    A lab's variants are made again where its nudges change.

    Raises:
        Refused: when it isn't a draft, a field can't hold its value or its template fixes one, a metric can't be
            picked, a lab is given variants, or a test would become a lab or the other way round.
    """
    with transaction.atomic():
        experiment = locked(key)
        if experiment.status != Status.DRAFT:
            raise Refused("The experiment has started: its plan can only be amended, with a reason.")
        taken = take_over(fields, experiment)
        fields, variants = with_sets(taken.fields, variants, experiment)
        differs = _differs(experiment, fields, variants, audience) or is_news(experiment, taken.versions)
        looked_at = "planned_end" in fields and experiment.end_before_05 is not None
        if not (differs or looked_at or _first_of_its_step(experiment, why)):
            return experiment  # a save without changes makes no new version and no history row
        for name, value in fields.items():
            setattr(experiment, name, value)
        if looked_at:
            experiment.end_before_05 = None
        experiment.version += differs
        save_plan(experiment, by, why)
        _replace(experiment, variants, audience)
        refuse_fixed(experiment)
        keep_choices(experiment, taken.versions)
    return experiment


def with_sets(
    fields: Mapping[str, Any], variants: Sequence[Mapping[str, Any]] | None, draft: Experiment | None = None
) -> tuple[dict[str, Any], Sequence[Mapping[str, Any]] | None]:
    """The fields of a plan and its variants; for a lab, with what its nudges make of them.

    Args:
        fields: to create or change it with.
        variants: likewise; None where they aren't given.
        draft: that changes; None for a new one.

    Raises:
        Refused: variants of a lab, or another kind than the draft's.
    """
    fields = dict(fields)
    kind = fields.get("kind", ExperimentKind.TEST.value if draft is None else draft.kind)
    if draft is not None and kind != draft.kind:
        raise Refused("A test can't become a lab, nor a lab a test: make a new one.")
    if "nudges" in fields:
        # A door that changes a draft fills in nothing; what is missing then keeps the lab from starting.
        usual = {"key": "", "share": HALF, "behaviour": ""}
        fields["nudges"] = [dump(PlannedNudge(**{**usual, **row})) for row in fields["nudges"]]
    if kind != ExperimentKind.LAB:
        return fields, variants
    if variants is not None:
        raise Refused("The groups of a lab are made of its nudges: leave them out.")
    if draft is not None and not fields.keys() & {"nudges", "most_nudges", "value_type", "default_value"}:
        return fields, None
    stored = {} if draft is None else {"nudges": draft.nudges, "most_nudges": draft.most_nudges}
    given = {**stored, **fields}
    nudges, most = [PlannedNudge(**row) for row in given.get("nudges", ())], given.get("most_nudges")
    fields |= {"value_type": ValueType.JSON.value, "default_value": {nudge.key: False for nudge in nudges}}
    sets = variants_of(nudges, most) if can_be_drawn(nudges, most) else ()
    return fields, [{"key": arm.key, "value": arm.value, "weight": arm.weight} for arm in sets]


def _first_of_its_step(experiment: Experiment, why: str) -> bool:
    """True when a person saves this step for the first time, which the history records even without changes."""
    return why.startswith(STEP_SAVED) and not experiment.history.filter(history_change_reason=why).exists()


def _differs(
    experiment: Experiment,
    fields: Mapping[str, Any],
    variants: Sequence[Mapping[str, Any]] | None,
    audience: Sequence[Mapping[str, Any]] | None,
) -> bool:
    """True when the values differ from the draft's."""
    if any(getattr(experiment, name) != value for name, value in fields.items()):
        return True
    pairs: tuple[tuple[Any, Any], ...] = ((variants, experiment.variants), (audience, experiment.audience))
    return any(given is not None and not _same_rows(given, stored.all()) for given, stored in pairs)


def _same_rows(given: Sequence[Mapping[str, Any]], stored: Sequence[Any]) -> bool:
    rows = list(stored)
    return len(rows) == len(given) and all(
        getattr(row, name) == value for row, fields in zip(rows, given, strict=True) for name, value in fields.items()
    )


def draft_from_moment(
    *, moment: AhaMoment, by: User | None = None, take_up: float | None = None, key: str | None = None, **more: Any
) -> Experiment:
    """Draft the experiment that tests a moment: a nudge for new users, measured by the moment's own retention.

    The smallest effect of interest is a tenth of the evidence ladder's headline, at least one percentage point: most of
    the promise is confounding. The plan is sized for the share of promises that past experiments confirmed, or for half
    of the headline while too few have tested any (docs/methods/pooling.md, "Price of a promise"). Without evidence the
    smallest effect is what the units of four weeks can detect; without events the sizes stay empty. The other
    behaviours are those that `others.proposed_others` proposes.

    Args:
        moment: the AHA moment to test.
        by: the account that drafts it.
        take_up: expected share of units that the nudge moves, above 0; None for 0.1, or the head-room if that is less.
        key: of the experiment; None for the moment's key with "-test".
        more: fields of `Experiment`, such as the agent that drafts it.

    Raises:
        Refused: a take-up above the head-room, which is the share of units that don't reach the moment without a nudge.
    """
    if take_up is not None and not 0 < take_up <= 1:
        raise Refused("The expected take-up must lie between 0 and 1.")
    measured = _inflow_of_moment(moment)
    inflow = None if measured is None else from_study(measured, moment, moment.retention)
    reach = None if inflow is None else inflow.reach
    head_room = 1 - reach if reach is not None and computable(reach) else 1.0
    if take_up is not None and take_up > head_room:
        raise Refused(
            "Only {share} of users don't do it by themselves: a nudge can't change more.",
            share=f"{100 * head_room:.1f} %",
        )
    moved = take_up if take_up is not None else usual_take_up(inflow)
    with transaction.atomic():
        experiment = create_draft(
            key=key or free_key(f"{moment.key}-test"),
            name=made_names.new_test_name(moment),
            by=by,
            hypothesis=made_names.new_hypothesis(moment),
            moment=moment,
            value_type=ValueType.BOOLEAN,
            default_value=False,
            variants=VARIANTS,
            primary_metrics=[moment.retention],
            enrolment=Enrolment.NEW_UNITS,
            expected_take_up=round(moved, 4) or None,
            smallest_effect=_promised(moment, inflow, moved),
            planned_effect=hoped_for(moment, inflow, moved),
            **{"other_behaviours": _others_of(moment), **more},
        )
        if inflow is None:
            return experiment
        return _with_size(experiment, inflow, by)


def _with_size(experiment: Experiment, inflow: Inflow, by: User | None) -> Experiment:
    """The draft with the suggested effect, size and end, as far as they can be computed."""
    suggestion = sized(experiment, inflow)
    values = {
        name: value
        for name in ("smallest_effect", "planned_units", "planned_end")
        if computable(value := getattr(suggestion, name))
    }
    return update_draft(key=experiment.key, by=by, **values)


def draft_lab(
    *, moment: AhaMoment, by: User | None = None, nudges: int = 3, key: str | None = None, **more: Any
) -> Experiment:
    """Draft the lab of a moment: a nudge to its behaviour, and one each to the strongest others of the same study.

    Each is shown to half of the new users. Effects are those of `draft_from_moment`, for every behaviour. A nudge is
    expected to move what the latest finished one towards its behaviour moved. Proposed behaviours
    (`others.proposed_others`) without a nudge are other behaviours of the plan.

    Args:
        moment: the AHA moment; its retention is the outcome.
        by: the account that drafts it.
        nudges: at most so many, 2 to 8; fewer where fewer behaviours are proposed.
        key: of the lab; None for the moment's key with "-lab".
        more: fields of `Experiment` that differ.

    Raises:
        Refused: another number of nudges.
    """
    if not LEAST_NUDGES <= nudges <= MOST_NUDGES:
        raise Refused("A lab has {least} to {most} nudges.", least=LEAST_NUDGES, most=MOST_NUDGES)
    others = _others_of(moment)
    aimed = [(moment.behaviour, moment.times), *((row["behaviour"], row["times"]) for row in others[: nudges - 1])]
    inflow = _inflow_of_moment(moment, aimed)
    inflow = None if inflow is None else from_study(inflow, moment, moment.retention)
    moved = usual_take_up(inflow)
    planned = [
        row | moved_before(moment, (row["behaviour"], row["times"]), aimed)
        for row in nudges_to(aimed, round(moved, 4) or USUAL_TAKE_UP)
    ]
    with transaction.atomic():
        draft = create_draft(
            key=key or free_key(f"{moment.key}-lab"),
            name=made_names.new_lab_name(moment),
            by=by,
            hypothesis=made_names.new_hypothesis(moment, lab=True),
            moment=moment,
            kind=ExperimentKind.LAB.value,
            nudges=planned,
            primary_metrics=[moment.retention],
            enrolment=Enrolment.NEW_UNITS,
            expected_take_up=round(moved, 4) or None,
            smallest_effect=_promised(moment, inflow, moved),
            planned_effect=hoped_for(moment, inflow, moved),
            **{"other_behaviours": others[nudges - 1 :], **more},
        )
        if inflow is None or not len(draft.nudges) >= LEAST_NUDGES:
            return draft
        return _with_size(draft, inflow, by)


def nudges_to(behaviours: Sequence[tuple[str, int]], take_up: float, taken: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A nudge to each behaviour and number of times, shown to half of the users, with a key made of its name.

    Args:
        behaviours: each with its times.
        take_up: expected of each.
        taken: keys of other nudges.
    """
    keys = [*taken]
    rows = []
    for behaviour, times in behaviours:
        keys.append(nudge_key(plain_name(behaviour), keys))
        rows.append(dump(PlannedNudge(keys[-1], HALF, behaviour, times, take_up)))
    return rows


def moved_before(moment: AhaMoment, own: tuple[str, int], aimed: Sequence[tuple[str, int]]) -> dict[str, float]:
    """What the latest finished nudge to a behaviour moved within the moment's days, as fields of a planned nudge.

    Args:
        own: the behaviour with its times.
        aimed: all of the lab; the largest effect on another of them is the spill.

    Returns:
        ``take_up`` and, where the others were measured, ``spill``; empty without such a finding, or where its nudge
        moved nobody.
    """
    past = [
        finding
        for finding in findings_of(own[0])
        if (finding.definition.times, finding.definition.days) == (own[1], moment.days) and not finding.whole_clusters
    ]
    latest = max(past, key=lambda finding: finding.ended, default=None)
    if latest is None or not LEAST_MOVED <= latest.moments.first_stage <= 1:
        return {}
    found = {"take_up": round(latest.moments.first_stage, 4)}
    for outcome in latest.outcomes[:1]:  # users and behaviours are the same for all of them
        places = zip(outcome.behaviours, outcome.times, strict=True)
        stages = dict(zip(places, outcome.effects[1:], strict=True))
        spills = [abs(stages[pair]) for pair in aimed if pair != own and pair in stages]
        found |= {"spill": round(max(spills), 4)} if spills else {}
    return found


def nudge_key(name: str, taken: Sequence[str]) -> str:
    """A key for a nudge of that name: the name in small Latin letters, with a number where it is taken."""
    base = key_from(name, "nudge")[:LONGEST_KEY].rstrip("-_")
    numbered = (f"{base[: LONGEST_KEY - 2].rstrip('-_')}-{n}" for n in range(2, 10))
    free = (key for key in (base, *numbered) if key not in (*taken, *RESERVED))
    return next(free, base)


def clone(*, experiment: Experiment, by: User | None = None, key: str | None = None) -> Experiment:
    """A new draft with the same plan and a new draw, without its dates and overrides.

    Args:
        experiment: in any state.
        by: the account that clones it.
        key: of the new one; None for the old key with a number.

    Raises:
        Refused: a key that exists or is invalid.
    """
    names = [name.removesuffix("_id") for name in COPIED]
    arms = experiment.variants.order_by("position").values("key", "name", "value", "weight", "role", "dose")
    rows = list(experiment.audience.order_by("position").values("segment_key", "rule", "coverage", "weights"))
    for row in rows:
        if row["segment_key"] is not None and find_segment(row["segment_key"]) is not None:
            row["rule"] = None  # copied from the segment again at the next start
    with transaction.atomic():
        draft = create_draft(
            key=key or free_key(experiment.key),
            variants=None if experiment.is_lab else list(arms),
            audience=rows,
            by=by,
            **{name: getattr(experiment, name) for name in names},
        )
        copy_choices(experiment, draft)
    return draft


def free_key(base: str) -> str:
    """The key itself if it is free, else with the first free number."""
    base = base[:120]
    taken = set(Experiment.objects.filter(key__startswith=base).values_list("key", flat=True))
    return base if base not in taken else next(f"{base}-{n}" for n in range(2, 10_000) if f"{base}-{n}" not in taken)


def _replace(
    experiment: Experiment, variants: Sequence[Mapping[str, Any]] | None, audience: Sequence[Mapping[str, Any]] | None
) -> None:
    if variants is not None:
        experiment.variants.all().delete()
        rows = [Variant(**{**fields, "experiment": experiment, "position": at}) for at, fields in enumerate(variants)]
        if len({row.key for row in rows}) < len(rows):
            raise Refused("Two groups have the same key.")
        Variant.objects.bulk_create(rows)
    if audience is not None:
        experiment.audience.all().delete()
        AudienceRow.objects.bulk_create(
            AudienceRow(**{**fields, "experiment": experiment, "position": at}) for at, fields in enumerate(audience)
        )


def _inflow_of_moment(moment: AhaMoment, aimed: Sequence[tuple[str, int]] = ()) -> Inflow | None:
    try:
        return base_rate_and_inflow(moment.retention, signup_event=moment.signup_event, moment=moment, aimed=aimed)
    except Refused:
        return None  # a draft may be created before the first event


def _others_of(moment: AhaMoment) -> list[dict[str, Any]]:
    try:
        return [dump(other) for other in proposed_others(moment, moment.retention)]
    except Refused:
        return []  # as above


def usual_take_up(inflow: Inflow | None) -> float:
    """The take-up that a draft expects: a tenth, or the share who don't do it by themselves if that is less."""
    reach = None if inflow is None else inflow.reach
    return min(USUAL_TAKE_UP, 1 - reach if reach is not None and computable(reach) else 1.0)


def hoped_for(moment: AhaMoment, inflow: Inflow | None, take_up: float) -> float | None:
    """Planned effect: the headline times the confirmed share of promises, at least the smallest effect; else None."""
    least = _promised(moment, inflow, take_up)
    adjusted = promised(moment.evidence).adjusted
    if least is None or adjusted is None:
        return None
    price = price_of_promises().price
    effect = max((HOPED_FOR if price.assumed else price.ratio.estimate) * adjusted.estimate, least)
    return round(effect, 4) if _base(inflow) + take_up * effect < 1 else None


def _base(inflow: Inflow | None) -> float:
    return inflow.base if inflow is not None and computable(inflow.base) else 0.0


def _promised(moment: AhaMoment, inflow: Inflow | None, take_up: float) -> float | None:
    """A tenth of the evidence's adjusted difference; None where it would exceed what is possible."""
    adjusted = promised(moment.evidence).adjusted
    if adjusted is None or adjusted.estimate <= 0:
        return None
    effect = max(SHARE_OF_PROMISE * adjusted.estimate, LEAST_EFFECT)
    return round(effect, 4) if _base(inflow) + take_up * effect < 1 else None


# Create drafts from a template; they store its content at that time.

RELEASED = "template released"  # the reason in a draft's history


@transaction.atomic
def draft_from_template(
    *, template: PlanTemplate, name: str, key: str | None = None, by: User | None = None, **values: Any
) -> Experiment:
    """Create a draft with a template's content, its own draw and flag, and without dates.

    Args:
        template: one that isn't archived.
        name: of the experiment.
        key: of the experiment; None for the template's key with a number.
        by: the account that creates it.
        values: fields of `Experiment` that differ from the template from the beginning.

    Raises:
        Refused: an archived template, one whose moment or layer was deleted, another value of a fixed field, or a key
            that exists.
    """
    if template.archived_at is not None:
        raise Refused("The template is archived: no draft is made from it any more.")
    fields = {**_fields(template.content), **values}
    draft = create_draft(
        key=key or free_key(template.key),
        name=name,
        by=by,
        variants=None if fields.get("kind") == ExperimentKind.LAB else template.content["variants"],
        audience=template.content["audience"],
        **fields,
    )
    TemplateUse.objects.create(
        experiment=draft, template=template, version=template.version, content=template.content, fixed=template.fixed
    )
    refuse_fixed(draft)
    return draft


@transaction.atomic
def release(*, key: str, by: User | None = None) -> Experiment:
    """Let a draft change its template's fixed fields; it keeps the reference to the template.

    Raises:
        Refused: it isn't a draft, or it has no fixed fields.
    """
    experiment = locked(key)
    use = TemplateUse.objects.filter(experiment=experiment).first()
    if experiment.status != Status.DRAFT or use is None or not use.fixed:
        raise Refused("No template fixes anything of this plan.")
    use.fixed = []
    use.save(update_fields=["fixed"])
    save_plan(experiment, by, RELEASED)
    return experiment


def _fields(content: Content) -> dict[str, Any]:
    """Fields of a stored content that this version has, with moment and layer as rows."""
    fields = {name: value for name, value in content["fields"].items() if name in FIELDS}
    for name, model in (("moment", AhaMoment), ("layer", Layer)):
        key = fields.get(name)
        if key is None:
            continue
        row = model._default_manager.filter(key=key).first()
        if row is None:
            raise Refused("The template names {what} '{key}', which is gone.", what=name, key=key)
        fields[name] = row
    return fields
