"""Ship an arm and change rollouts: lock the experiment, check the table, log the move, make every process reload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from experiments.draw.evaluation import RolloutRow, Step
from experiments.models import ConfigVersion, Experiment, Rollout, RolloutMove, Variant
from experiments.plan.lifecycle import LIVE, Status
from experiments.plan.stored import locked
from experiments.serve.config import document_of, record_of, rows_of
from experiments.serve.rollout_lifecycle import MOVES, Move, RolloutState, refusal, shrinks, troubles
from experiments.webhooks import announce
from runs.refusals import Refused
from segments.published.members import find_segment
from segments.rules import is_live, parse_rule

SHIPPABLE = (Status.STOPPED, Status.CONCLUDED)


@dataclass(frozen=True)
class Asked:
    """The person or key that requests a move, and why.

    Attributes:
        by: the person; None for a key.
        why: a reason.
        key_prefix: beginning of the requesting key; "" for a person.
    """

    by: User | None = None
    why: str = ""
    key_prefix: str = ""


def ship(*, key: str, arm: str, rows: Sequence[Mapping[str, Any]], proved: bool, asked: Asked) -> Rollout:
    """Roll out an arm of an ended experiment, under the same flag.

    Args:
        key: of the experiment.
        arm: key of the variant.
        rows: ``{"segment": key or None, "steps": [{"share": steps of 0.01 %, "at": moment or None for now}]}``.
        proved: True when the registered decision table recommends this arm; otherwise a reason is required, and is
            logged.
        asked: requester and reason.

    Raises:
        Refused: in a state that doesn't allow it, without a required reason, for invalid rows, and while another
            experiment or rollout uses the flag.
    """
    if not proved and not asked.why.strip():
        raise Refused(
            "The decision table does not say to ship '{variant}': say why it is shipped all the same.", variant=arm
        )
    now = timezone.now()
    try:
        with transaction.atomic():
            experiment, stored = _locked(key)
            _refuse_move(experiment, stored, Move.SHIP)
            _refuse_taken(experiment)
            variant = Variant.objects.filter(experiment=experiment, key=arm).first()
            if variant is None:
                raise Refused("There is no group '{key}'.", key=arm)
            before = None if stored is None else said(stored, now)
            values = {
                "variant": variant,
                "flag_key": experiment.flag_key,
                "state": RolloutState.ROLLING.value,
                "rows": document_of(_checked(rows, experiment, now)),
                "held_at": None,
                "noted_at": now,
                **({} if stored is not None else {"first_at": now}),
            }
            row, _new = Rollout.objects.update_or_create(experiment=experiment, defaults=values)
            _log(row, Move.SHIP, before, asked, now)
    except IntegrityError:
        raise Refused("The flag '{flag}' is rolled out already, by another experiment.", flag=_flag(key)) from None
    return row


def change(*, key: str, rows: Sequence[Mapping[str, Any]], asked: Asked) -> Rollout:
    """Change a rollout's steps. No unit that has the arm loses it.

    Raises:
        Refused: as `ship`, and for rows that would remove units.
    """
    now = timezone.now()
    with transaction.atomic():
        row = _movable(key, Move.CHANGE)
        before = said(row, now)
        changed = _checked(rows, row.experiment, now, kept=row)
        if shrinks(record_of(row, 0), changed, now):
            raise Refused(
                "That would take it from users who have it. To give it to fewer, take it back to the default and "
                "ship it again."
            )
        row.rows = document_of(changed)
        row.noted_at = now
        row.held_at = None if row.held_at is None else now  # it is held at the new steps' current share
        row.save(update_fields=["rows", "noted_at", "held_at"])
        _log(row, Move.CHANGE, before, asked, now)
    return row


def move_rollout(*, key: str, move: Move, asked: Asked) -> Rollout:
    """Hold or resume a rollout, roll it back to the default, or stop it by the kill switch.

    Raises:
        Refused: in a state that doesn't allow it, and for a rollback without a reason.
    """
    now = timezone.now()
    with transaction.atomic():
        row = _movable(key, move)
        before = said(row, now)
        after = MOVES[RolloutState(row.state), move]
        if move is Move.GO_ON and row.state == RolloutState.KILLED and row.held_at is not None:
            after = RolloutState.HELD
        elif move is Move.GO_ON:
            row.held_at = None
        elif move is Move.HOLD:
            row.held_at = now
        row.state = after.value
        row.noted_at = now
        row.save(update_fields=["state", "held_at", "noted_at"])
        _log(row, move, before, asked, now)
    return row


def note_steps(now: datetime | None = None) -> int:
    """Log the steps that took effect since the last call, one move per rollout; returns how many it logged.

    Serving doesn't depend on it: evaluation compares each step's moment with the clock.
    """
    moment, noted = now or timezone.now(), 0
    for key in Rollout.objects.filter(state=RolloutState.ROLLING.value).values_list("experiment__key", flat=True):
        with transaction.atomic():
            _experiment, row = _locked(key)
            if row is None or row.state != RolloutState.ROLLING:
                continue
            come = [step for step in record_of(row, 0).steps if row.noted_at < step.at <= moment]
            if not come:
                continue
            before, row.noted_at = said(row, row.noted_at), moment
            row.save(update_fields=["noted_at"])
            _log(row, RolloutMove.Kind.STEP, before, Asked(), moment)
            noted += 1
    return noted


def said(row: Rollout, now: datetime) -> dict[str, Any]:
    """A rollout's state at a moment, as stored in the log and shown by REST; shares in steps of 0.01 %."""
    record = record_of(row, 0)
    shares = [
        0 if row.state in (RolloutState.KILLED, RolloutState.BACK) else record.share(group, now)
        for group in record.rows
    ]
    return {
        "state": row.state,
        "variant": row.variant.key,
        "rows": [
            {
                "segment": group.segment,
                "share": share,
                "steps": [{"at": step.at.isoformat(), "share": step.share} for step in group.steps],
            }
            for group, share in zip(record.rows, shares, strict=True)
        ],
    }


def state_of(row: Rollout | None) -> RolloutState:
    """State of a rollout row."""
    return RolloutState.NONE if row is None else RolloutState(row.state)


def _locked(key: str) -> tuple[Experiment, Rollout | None]:
    experiment = locked(key)
    return experiment, Rollout.objects.select_related("variant", "experiment").filter(experiment=experiment).first()


def _refuse_move(experiment: Experiment, stored: Rollout | None, move: Move) -> None:
    if experiment.status not in SHIPPABLE:
        raise Refused("Only a stopped or closed experiment can be rolled out: stop it first.")
    state = state_of(stored)
    if (state, move) not in MOVES:
        raise Refused(refusal(state))


def _movable(key: str, move: Move) -> Rollout:
    """The rollout, locked with its experiment, if the table allows the move."""
    experiment, stored = _locked(key)
    _refuse_move(experiment, stored, move)
    if stored is None:  # the only move allowed without a row is the one that creates it
        raise Refused(refusal(RolloutState.NONE))
    return stored


def _refuse_taken(experiment: Experiment) -> None:
    """Refuse while another running or paused experiment uses the flag."""
    live = Experiment.objects.filter(flag_key=experiment.flag_key, status__in=[status.value for status in LIVE])
    if other := live.values_list("key", flat=True).first():
        raise Refused(
            "The flag '{flag}' is already served by the experiment '{other}'.", flag=experiment.flag_key, other=other
        )


def _flag(key: str) -> str:
    return Experiment.objects.filter(key=key).values_list("flag_key", flat=True).first() or key


def _checked(
    rows: Sequence[Mapping[str, Any]], experiment: Experiment, now: datetime, kept: Rollout | None = None
) -> tuple[RolloutRow, ...]:
    """Rows as records: each segment is looked up, and its rule on traits copied as for an audience at the start.

    A segment of the experiment's audience, or of the rollout so far, keeps its rule from there.

    Raises:
        Refused: for invalid rows, a segment that isn't published or is too unstable to be targeted.
    """
    known: dict[str | None, Any] = dict(experiment.audience.values_list("segment_key", "rule"))
    known |= {} if kept is None else {row.segment: row.rule for row in rows_of(kept.rows)}
    records = tuple(
        RolloutRow(
            row["segment"],
            None,
            tuple(
                sorted((Step(step.get("at") or now, step["share"]) for step in row["steps"]), key=lambda step: step.at)
            ),
        )
        for row in rows
    )
    if wrong := next(troubles(records), None):
        raise Refused(wrong)
    return tuple(
        replace(row, rule=known[row.segment] if row.segment in known else _rule(row.segment)) for row in records
    )


def _rule(slug: str | None) -> Any:
    """The rule of a segment that is evaluated live; None for everyone and for published membership."""
    if slug is None:
        return None
    segment = find_segment(slug)
    if segment is None:
        raise Refused("There is no published segment '{key}'.", key=slug)
    if not segment.targetable:
        raise Refused("The segment '{key}' is too unstable to be targeted: another sample would not show it.", key=slug)
    version = segment.version
    live = version.rule is not None and is_live(parse_rule(version.rule))
    version.pinned = True
    version.save(update_fields=["pinned"])
    return version.rule if live else None


def _log(row: Rollout, kind: str, before: Any, requester: Asked, now: datetime) -> None:
    """Store the move, send the webhook, and make every process reload the configuration."""
    after = said(row, now)
    RolloutMove.objects.create(
        experiment=row.experiment,
        at=now,
        by=requester.by,
        key_prefix=requester.key_prefix,
        kind=str(kind),
        before=before,
        after=after,
        why=requester.why.strip(),
    )
    ConfigVersion.touch()
    data = {"experiment": row.experiment.key, "flag": row.flag_key, "move": str(kind), "from": before, "to": after}
    announce("experiment.rollout", data)
