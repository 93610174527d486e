"""Assign units to arms: sticky answer, stored row and exposure event (docs/assignment.md).

A known unit costs each process one SELECT, later calls are cached (`remembered`). A new one costs one transaction:
insert-or-ignore, read again, expose. Two racing calls thus agree, and the exposure event exists exactly when the row
has its exposure time.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import Any

import structlog
from django.utils import timezone
from prometheus_client import Counter

from events.models import UnitTraits
from events.outbox import circuit_breaker
from events.people import identity
from events.schema import Caller
from experiments.draw import evaluation
from experiments.draw.bucketing import cluster_id
from experiments.draw.evaluation import Draw, Evaluation, Failed, Flag, RolloutRecord, RolloutRow, Row
from experiments.models import DrawnAs
from experiments.serve import config, store_assignment
from experiments.serve.config import AWAY
from experiments.serve.store_assignment import Pair, Stamp, Stored, keep_draws, keep_first, stored_rows
from reporting.words import Message, say
from runs.refusals import Refused
from segments import rules
from segments.published.members import slugs_of
from segments.rules import Facts, Rule, parse_rule

# Join two ids of a person when the context has `anonymousId` beside the unit (docs/identity.md).

ANONYMOUS = "anonymousId"
log = structlog.get_logger()


def note_person(caller: Caller | None, unit: str, context: Mapping[str, Any]) -> None:
    """Join the visitor in the context with the user, before an event does.

    A client key may do this only where its source trusts logins from client keys. While the database is unavailable
    nothing is joined, and the call is answered without it.
    """
    visitor = context.get(ANONYMOUS)
    if caller is None or not isinstance(visitor, str) or not 0 < len(visitor) <= 256 or visitor == unit:
        return
    by_server = caller.kind != "client"
    try:
        if by_server or identity.trusts(caller.source_id):
            identity.join_now(visitor, unit, source_id=caller.source_id, by_server=by_server, now=timezone.now())
    except config.AWAY as trouble:
        log.warning("person.database_away", error=type(trouble).__name__)


def drawing_ids(units: Iterable[str]) -> Mapping[str, str]:
    """The other id for those of these units that draw by one; no query on a site without logins."""
    if not config.current().some_drawn_as:
        return {}
    return dict(DrawnAs.objects.filter(unit__in=units).values_list("unit", "drawn_as"))


# Traits of a unit, its audience row, and rules that it matches, for assignment.
#
# Rules have the form of `segments.rules`: ``{"all" | "any" | "none": [condition, ...]}``, where a condition on a
# trait is ``{"trait": name, "is" | "is_not" | "in" | "at_least" | "at_most" | "exists": value}``. A condition on a
# missing trait is false, and so is a condition that can't be evaluated live: errors exclude units, they never include
# them.

PRIVATE = ("segments", "targetingKey")  # membership is looked up, whatever a caller sends


def segment_of[R: (Row, RolloutRow)](
    traits: Mapping[str, Any], rows: Iterable[R], published: Callable[[], frozenset[str]]
) -> R | None:
    """The first row of an audience or of a rollout that the unit belongs to; None without one.

    Returns the row rather than its segment's key, since a row for everyone has no key.

    Args:
        traits: stored traits of the unit with the caller's context over them.
        rows: in order.
        published: function that returns the unit's segments. It costs a look-up and is called only where a row needs
            it.
    """
    for row in rows:
        if row.segment is None:
            return row
        if row.rule is not None and matches(row.rule, traits):
            return row
        if row.rule is None and row.segment in published():
            return row
    return None


def traits_with(stored: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Stored traits of a unit overridden by the caller's context, which is newer."""
    return {**stored, **{name: value for name, value in context.items() if name not in PRIVATE}}


def matches(rule: Any, traits: Mapping[str, Any]) -> bool:
    """True when the unit's traits match the rule; a rule that can't be parsed matches no unit."""
    try:
        return rules.matches(_parsed(json.dumps(rule, sort_keys=True)), Facts(traits=traits))
    except Refused:
        return False


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> Rule:
    return parse_rule(json.loads(text))


# Answers of rollouts for many units; reads rows only where the hash can't decide. Stores nothing, exposes no unit.

type Contexts = Mapping[str, Mapping[str, Any]]  # by unit
type Shipped = tuple[str, Flag, RolloutRecord]


def rollout_answers(
    pairs: Sequence[Shipped], contexts: Contexts, stamp: Stamp, *, patient: bool
) -> dict[Pair, Evaluation | Failed]:
    """The answer of each unit for each rolled-out flag.

    Args:
        pairs: unit, flag and its rollout.
        contexts: attributes by unit.
        stamp: of the flags' configuration.
        patient: while the database is unavailable, answer by the hash where possible, else `Failed`.

    Raises:
        django.db.Error: the database is unavailable, unless patient.
    """
    now = timezone.now()
    answers: dict[Pair, Evaluation | Failed] = {}
    unsure: list[Shipped] = []
    drawing = _drawing_ids({unit for unit, _flag, _rollout in pairs}, patient=patient)
    for unit, flag, rollout in pairs:
        answer = evaluation.by_hash_alone(flag, rollout, drawing.get(unit, unit), now)
        if answer is None:
            unsure.append((unit, flag, rollout))
        else:
            answers[unit, flag.pk] = answer
    if not unsure:
        return answers
    began = time.monotonic()
    try:
        circuit_breaker.refuse_if_silent()
        return answers | _read(unsure, contexts, drawing, stamp if patient else None, now)
    except AWAY as trouble:
        if not patient:
            raise
        circuit_breaker.note(began)
        log.warning("rollout.database_away", error=type(trouble).__name__)
        why = "the database is away, and this flag needs what is stored about the unit"
        return answers | {(unit, flag.pk): Failed(flag, why) for unit, flag, _ in unsure}


def _drawing_ids(units: set[str], *, patient: bool) -> Mapping[str, str]:
    """The id by which each unit draws, as in the experiment; while the database is unavailable its own."""
    try:
        return drawing_ids(units)
    except AWAY:
        if not patient:
            raise
        return {}


def _read(
    pairs: Sequence[Shipped], contexts: Contexts, drawing: Mapping[str, str], stamp: Stamp | None, now: datetime
) -> dict[Pair, Evaluation]:
    had = _had(pairs, stamp)
    wanted = {unit for unit, _flag, _rollout in pairs}
    rows = UnitTraits.objects.filter(user_id__in=wanted).values_list("user_id", "traits")
    about: dict[str, dict[str, Any]] = dict(rows)
    published = cache(slugs_of)  # once per unit, whatever the flags
    answers = {}
    for unit, flag, rollout in pairs:
        traits = traits_with(about.get(unit, {}), contexts[unit])
        segments = partial(published, unit)
        answers[unit, flag.pk] = evaluation.answer(
            flag,
            rollout,
            drawing.get(unit, unit),
            now,
            had=_keeps(flag, rollout, had.get((unit, flag.pk))),
            row=segment_of(traits, rollout.rows, segments),
            audience=segment_of(traits, flag.rows, segments),
            cluster=cluster_id(traits.get(flag.cluster)) if flag.cluster else None,
        )
    return answers


def _keeps(flag: Flag, rollout: RolloutRecord, variant: int | None) -> bool:
    """Whether a unit with this stored variant, if any, had what is shipped."""
    arm = next((place for place, arm in enumerate(flag.arms) if arm.pk == variant), None)
    return arm is not None and flag.keeps(arm, rollout.arm)


def _had(pairs: Sequence[Shipped], stamp: Stamp | None) -> dict[Pair, int]:
    """The stored variant of units that have one. Without a stamp nothing is cached: a batch would evict other units."""
    known: dict[Pair, Stored] = {}
    for unit, flag, _rollout in pairs:
        if stamp is not None and (row := store_assignment.recall((unit, flag.pk), stamp)) is not None:
            known[unit, flag.pk] = row
    open_pairs = [(unit, flag) for unit, flag, _ in pairs if (unit, flag.pk) not in known]
    stored = stored_rows(open_pairs) if open_pairs else {}
    if stamp is not None:
        store_assignment.keep(stored, stamp)
    return {pair: row.variant_id for pair, row in {**known, **stored}.items()}


UNITS_AT_A_TIME = 500
ASSIGNMENTS = Counter("insight_assignments", "Answers of the evaluation doors, by outcome.", ["outcome"])
UNSTICKY = Counter("insight_assignments_unsticky", "Answers by hash alone, because the database was away.")


def evaluate(
    flag_key: str,
    unit: str,
    context: Mapping[str, Any],
    *,
    expose: bool = True,
    detailed: bool = False,
    visitor: str | None = None,
) -> Evaluation | Failed | None:
    """The answer for one unit and one flag.

    Args:
        flag_key: of the requested flag.
        unit: 1 to 256 characters.
        context: the caller's attributes of the unit; `segments` in it is ignored.
        expose: also log the exposure, once for each unit, in the transaction that stores the assignment.
        detailed: include segment and assignment id in the metadata; for server keys only.
        visitor: the caller's address when it has a client key, which anybody may have; None for all other callers,
            whose units are trusted.

    Returns:
        None for a flag that isn't served; `Failed` when the database is unavailable and the answer needs it.
    """
    flag = config.current().flags.get(flag_key)
    if flag is None:
        return None
    return _evaluate([flag], {unit: context}, expose=expose, detailed=detailed, visitor=visitor)[unit, flag.pk]


def evaluate_all(
    unit: str, context: Mapping[str, Any], *, detailed: bool = False, visitor: str | None = None
) -> list[Evaluation | Failed]:
    """The answers for all served flags, by flag key. It assigns but never exposes: the unit may never see them."""
    flags = [flag for _, flag in sorted(config.current().flags.items())]
    # A lab has several flags and one assignment: it is evaluated once, and each of its flags shows its own value.
    once = list({flag.pk: flag for flag in flags}.values())
    answers = _evaluate(once, {unit: context}, expose=False, detailed=detailed, visitor=visitor)
    return [replace(answers[unit, flag.pk], flag=flag) for flag in flags]


def assign_units(
    *, experiment_key: str, units: Iterable[str], clusters: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Evaluation]]:
    """Assign many units to one experiment, in order. It never exposes: send the event when a unit sees its variant.

    Args:
        experiment_key: of a started experiment.
        units: ids.
        clusters: id of each unit's cluster, where clusters are drawn; for a unit without one its stored trait is used.

    Raises:
        Refused: for an experiment that isn't served, or an id that isn't 1 to 256 characters.
        django.db.Error: the database is unavailable: a batch must not be stored partially.
    """
    flag = next((flag for flag in config.current().flags.values() if flag.key == experiment_key), None)
    if flag is None:
        raise Refused("There is no started experiment '{key}'.", key=experiment_key)
    chunk: list[str] = []
    for unit in units:
        check_units([unit])
        chunk.append(unit)
        if len(chunk) == UNITS_AT_A_TIME:
            yield from _assign_chunk(flag, chunk, clusters or {})
            chunk = []
    yield from _assign_chunk(flag, chunk, clusters or {})


def check_units(units: Iterable[str]) -> None:
    """Refuse the first invalid id, before anything is stored.

    Raises:
        Refused: with the id's number and what is wrong with it.
    """
    for number, unit in enumerate(units, start=1):
        if problem := unit_problem(unit):
            raise Refused("User {number}: {problem}.", number=number, problem=problem)


def unit_problem(unit: Any) -> Message | None:
    """What is wrong with an id, as a short clause; None when it is valid."""
    if not isinstance(unit, str) or not unit:
        return say("an id is a string that is not empty")
    return say("an id may have at most 256 characters") if len(unit) > 256 else None


def _assign_chunk(flag: Flag, units: Sequence[str], clusters: Mapping[str, str]) -> Iterator[tuple[str, Evaluation]]:
    contexts = {unit: {flag.cluster: clusters[unit]} if flag.cluster and unit in clusters else {} for unit in units}
    answers = _evaluate([flag], contexts, expose=False, detailed=True, patient=False)
    for unit in units:
        answer = answers[unit, flag.pk]
        if isinstance(answer, Evaluation):
            yield unit, answer


def _evaluate(
    flags: Sequence[Flag],
    contexts: Contexts,
    *,
    expose: bool,
    detailed: bool,
    patient: bool = True,
    visitor: str | None = None,
) -> dict[Pair, Evaluation | Failed]:
    """The answer of each unit for each flag. Not `patient`: an unavailable database is an error, don't guess."""
    answers: dict[Pair, Evaluation | Failed] = {}
    open_pairs: list[tuple[str, Flag]] = []
    stamp = config.current().stamp  # read before any row: a later deletion of rows raises it
    shipped = [(unit, flag, flag.rollout) for unit in contexts for flag in flags if flag.rollout is not None]
    if shipped:  # no assignment and no exposure after the experiment's end
        answers |= rollout_answers(shipped, contexts, stamp, patient=patient)
    for unit, context in contexts.items():
        for flag in flags:
            if flag.rollout is not None:
                continue
            early = _without_asking(flag, unit, context)
            row = None if early else store_assignment.recall((unit, flag.pk), stamp)
            if row and (row.exposed_at or not expose) and not (visitor is None and row.unnamed):
                early = _known(flag, row, sticky=True, detailed=detailed)
            if early is None:
                open_pairs.append((unit, flag))
            else:
                answers[unit, flag.pk] = early
    if open_pairs:
        try:
            fetched, stored = _ask(
                open_pairs, contexts, expose=expose, detailed=detailed, patient=patient, visitor=visitor
            )
            answers |= fetched
            if patient:  # a batch of millions would evict the units of callers
                store_assignment.keep(stored, stamp)
        except AWAY as trouble:
            if not patient:
                raise
            log.warning("assign.database_away", error=type(trouble).__name__)
            answers |= {(unit, flag.pk): _by_hash(flag, unit, contexts[unit]) for unit, flag in open_pairs}
            UNSTICKY.inc(len(open_pairs))
    for answer in answers.values():
        ASSIGNMENTS.labels(_outcome(answer)).inc()
    return answers


def _without_asking(flag: Flag, unit: str, context: Mapping[str, Any]) -> Evaluation | None:
    if flag.state != "running":
        return evaluation.disabled(flag)
    if (arm := flag.overrides.get(unit)) is not None:
        return evaluation.forced(flag, arm, "override")
    for rule, arm in flag.forced:  # on the context only: a known unit must need no query
        if matches(rule, traits_with({}, context)):
            return evaluation.forced(flag, arm, "rule")
    return None


def _ask(
    pairs: Sequence[tuple[str, Flag]],
    contexts: Contexts,
    *,
    expose: bool,
    detailed: bool,
    patient: bool,
    visitor: str | None,
) -> tuple[dict[Pair, Evaluation | Failed], dict[Pair, Stored]]:
    """The answers, and the rows that they come from."""
    circuit_breaker.refuse_if_silent()  # reading key or configuration has waited for the timeout already
    if (first := _at_once(pairs, contexts, expose=expose, visitor=visitor)) is not None:
        (unit, flag), (only, is_new) = pairs[0], first
        return {(unit, flag.pk): _known(flag, only, sticky=not is_new, detailed=detailed)}, {(unit, flag.pk): only}
    stored = stored_rows(pairs)
    unknown = [(unit, flag) for unit, flag in pairs if (unit, flag.pk) not in stored]
    answers: dict[Pair, Evaluation | Failed] = {}
    drawn: dict[Pair, Draw] = {}
    for unit, flag, draw in _draws(unknown, contexts):
        if draw.arm is None:
            answers[unit, flag.pk] = evaluation.excluded(flag, draw.excluded_by or "coverage")
        else:
            drawn[unit, flag.pk] = draw
    fresh = [(unit, flag) for unit, flag in unknown if (unit, flag.pk) in drawn]
    unseen = [pair for pair in pairs if expose and (row := stored.get((pair[0], pair[1].pk))) and not row.exposed_at]
    unnamed = {pair: row for pair, row in stored.items() if visitor is None and row.unnamed}
    if fresh or unseen or unnamed:
        try:
            stored |= keep_draws(fresh, drawn, unnamed, unseen, expose=expose, visitor=visitor)
        except AWAY as trouble:  # what was read is right; what was drawn will be drawn again
            if not patient:
                raise
            UNSTICKY.inc(len(fresh))
            log.warning("assign.not_kept", error=type(trouble).__name__)
    for unit, flag in pairs:
        pair = (unit, flag.pk)
        if row := stored.get(pair):
            answers[pair] = _known(flag, row, sticky=pair not in drawn, detailed=detailed)
        elif pair in drawn:
            answers[pair] = evaluation.split(flag, drawn[pair].arm or 0, drawn[pair].bucket, sticky=False)
    return answers, stored


def _at_once(
    pairs: Sequence[tuple[str, Flag]], contexts: Contexts, *, expose: bool, visitor: str | None
) -> tuple[Stored, bool] | None:
    """The stored row of one unit and whether this call created it, if the hash decides; None: general path."""
    (unit, flag), *others = pairs
    if others or flag.needs_look_up or not _knows_cluster(flag, contexts[unit]):
        return None
    draw = _by_hash_alone(flag, unit, contexts[unit])
    if draw.arm is None:
        return None
    began = time.monotonic()
    try:
        return keep_first(unit, flag, draw, expose=expose, visitor=visitor)
    except AWAY as trouble:  # reading may still work
        circuit_breaker.note(began)
        circuit_breaker.refuse_if_silent()
        log.warning("assign.not_kept_at_once", error=type(trouble).__name__)
        return None


def _draws(pairs: Sequence[tuple[str, Flag]], contexts: Contexts) -> Iterator[tuple[str, Flag, Draw]]:
    wanted = {unit for unit, flag in pairs if flag.needs_traits or not _knows_cluster(flag, contexts[unit])}
    about: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
    if wanted:
        rows = UnitTraits.objects.filter(user_id__in=wanted).values_list("user_id", "traits", "times")
        about = {unit: (traits, times) for unit, traits, times in rows}
    drawing = drawing_ids({unit for unit, _ in pairs}) if pairs else {}
    published = cache(slugs_of)  # once per unit of this call, whatever its flags and their audiences
    for unit, flag in pairs:
        stored, times = about.get(unit, ({}, {}))
        traits = traits_with(stored, contexts[unit])
        is_new = flag.new_since is None or evaluation.is_new_unit(flag.new_since, traits, times)
        row = segment_of(traits, flag.rows, partial(published, unit)) if flag.enrolment_open else None
        cluster = cluster_id(traits.get(flag.cluster)) if flag.cluster else None
        by = drawing.get(unit, unit)
        draw = evaluation.draw(flag, by, is_new=is_new, row=row, cluster=cluster)
        yield unit, flag, draw if by == unit else replace(draw, drawn_by=by)


def _knows_cluster(flag: Flag, context: Mapping[str, Any]) -> bool:
    """False when only stored data can tell the unit's cluster."""
    return not flag.cluster or cluster_id(context.get(flag.cluster)) is not None


def _known(flag: Flag, row: Stored, *, sticky: bool, detailed: bool) -> Evaluation:
    arm = next(index for index, arm in enumerate(flag.arms) if arm.pk == row.variant_id)
    private: dict[str, str | int] = {}
    if detailed:
        names = {"segment": row.segment, "cluster": row.cluster}
        private = {"assignmentId": row.pk, **{name: value for name, value in names.items() if value is not None}}
    return evaluation.split(flag, arm, row.bucket / 10_000, sticky=sticky, private=private)


def _by_hash(flag: Flag, unit: str, context: Mapping[str, Any]) -> Evaluation | Failed:
    """Without the database: the hash gives a new unit's answer, which is right for nearly every known unit too."""
    if flag.needs_look_up or not _knows_cluster(flag, context):
        return Failed(flag, "the database is away, and this flag needs what is stored about the unit")
    draw = _by_hash_alone(flag, unit, context)
    if draw.arm is None:
        return evaluation.excluded(flag, draw.excluded_by or "coverage")
    return evaluation.split(flag, draw.arm, draw.bucket, sticky=False)


def _by_hash_alone(flag: Flag, unit: str, context: Mapping[str, Any]) -> Draw:
    """What a new unit draws for a flag that needs no look-up."""
    row = flag.rows[0] if flag.enrolment_open else None
    cluster = cluster_id(context.get(flag.cluster)) if flag.cluster else None
    return evaluation.draw(flag, unit, is_new=True, row=row, cluster=cluster)


def _outcome(answer: Evaluation | Failed) -> str:
    if isinstance(answer, Failed):
        return "failed"
    if answer.reason == "SPLIT":
        return "known" if answer.metadata["sticky"] else "new"
    if answer.metadata.get("excludedBy") == "cluster":
        return "no_cluster"  # a reason of its own: an app that omits the attribute leaves all units out
    if answer.flag.rollout is not None and answer.arm is not None:
        return "rollout"
    return {"STATIC": "excluded", "DISABLED": "disabled"}.get(answer.reason, "forced")
