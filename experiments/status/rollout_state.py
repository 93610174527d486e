"""A rollout on its page: current state, next steps, and history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from experiments.draw.evaluation import RolloutRow
from experiments.models import Experiment, Rollout, RolloutMove
from experiments.serve.config import record_of
from experiments.serve.rollout_lifecycle import Killed, Move

MOST = 100  # moves on the page; REST returns all
LABELS = {
    Move.HOLD: gettext_lazy("Pause the rollout"),
    Move.GO_ON: gettext_lazy("Resume the rollout"),
    Move.BACK: gettext_lazy("Back to default"),
    Move.KILL: gettext_lazy("Kill switch"),
}
DONE = {
    Move.HOLD: gettext_lazy("The rollout is paused."),
    Move.GO_ON: gettext_lazy("The rollout goes on."),
    Move.BACK: gettext_lazy("Everybody gets the value outside the experiment again, within two seconds."),
    Move.KILL: gettext_lazy("The kill switch is on: everybody gets the default within two seconds."),
}
KILLED = {
    Killed.ROLLOUT: DONE[Move.KILL],
    Killed.EXPERIMENT: gettext_lazy(
        "The experiment is paused: everybody gets the value outside the experiment within two seconds."
    ),
}
LIGHTS = {"rolling": "state-running", "held": "state-paused", "killed": "state-failed", "back": "state-stopped"}


@dataclass(frozen=True)
class ShownRow:
    """One row in words: its group, their current share, and coming steps."""

    who: str
    now: str
    then: tuple[str, ...]


@dataclass(frozen=True)
class ShippedBadge:
    """Badge of a shipped experiment: short text, sentence for its results page, and colour."""

    words: str
    sentence: str
    light: str


def shown_rows(stored: Rollout) -> list[ShownRow]:
    """The rows of a rollout with their current state."""
    record, now = record_of(stored, 0), timezone.now()
    killed = stored.state == Rollout.State.KILLED
    return [
        ShownRow(who(row), share_text(0 if killed else record.share(row, now)), tuple(_coming(row, now)))
        for row in record.rows
    ]


def share_text(steps: int) -> str:
    """A share in per cent with only the decimals that it needs."""
    return f"{steps / 100:g}%"


def who(row: RolloutRow) -> str:
    """The group of a row in words."""
    return _whom(row.segment)


def _coming(row: RolloutRow, now: datetime) -> list[str]:
    return [step_text(step.share, step.at) for step in row.steps if step.at > now]


def step_text(steps: int, at: datetime) -> str:
    """A step with its moment."""
    moment = date_format(timezone.localtime(at), "DATETIME_FORMAT")
    return _("{share} from {moment}").format(share=share_text(steps), moment=moment)


def badge(stored: Rollout) -> ShippedBadge:
    """The badge of a shipped experiment: the variant, current shares, and coming steps."""
    light, variant = LIGHTS[stored.state], str(stored.variant)
    if stored.state == Rollout.State.KILLED:
        text, sentence = _("{variant}: kill switch"), _("The kill switch is on: nobody gets {variant}.")
        return ShippedBadge(text.format(variant=variant), sentence.format(variant=variant), light)
    held = stored.state == Rollout.State.HELD
    text = _("shipped, paused: {variant} to {shares}") if held else _("shipped: {variant} to {shares}")
    sentence = _("Shipped: users who had {variant} in the experiment still get it; of all others: {shares}.")
    given = {"variant": variant, "shares": _shares(stored, steps=not held)}
    return ShippedBadge(text.format(**given), sentence.format(**given), light)


def _shares(stored: Rollout, *, steps: bool) -> str:
    """Each group's current share, with the days of the coming steps."""
    record, now = record_of(stored, 0), timezone.now()
    text, groups = _("{share} on {day}"), []
    for row in record.rows:
        coming = [step for step in row.steps if steps and step.at > now]
        later = [text.format(share=share_text(step.share), day=_day(step.at, now)) for step in coming]
        groups.append((who(row), ", ".join([share_text(record.share(row, now)), *later])))
    if [row.segment for row in record.rows] == [None]:
        return groups[0][1]
    return "; ".join(" ".join(group) for group in groups)


def _day(at: datetime, now: datetime) -> str:
    here = timezone.localtime(at)
    return date_format(here, "MONTH_DAY_FORMAT" if here.year == timezone.localtime(now).year else "DATE_FORMAT")


def history(experiment: Experiment) -> list[dict[str, Any]]:
    """Every move, the newest first: who, when, why, and what it changed."""
    rows = RolloutMove.objects.filter(experiment=experiment).select_related("by")[:MOST]
    return [{"row": row, "changed": change_words(row)} for row in rows]


def change_words(move: RolloutMove) -> str:
    """What a move changed: the state, or each group's share and coming steps."""
    before, after = move.before, move.after
    if before is None or (before["state"], before["variant"]) != (after["state"], after["variant"]):
        return f"{state_words(before)} → {state_words(after, move.at)}"
    was, now = ({row["segment"]: row for row in state["rows"]} for state in (before, after))
    changes = {segment: _row_change(was.get(segment), now.get(segment), move.at) for segment in {**was, **now}}
    return "; ".join(f"{_whom(segment)} {words}" for segment, words in changes.items() if words) or _("no step changed")


def _row_change(was: dict[str, Any] | None, now: dict[str, Any] | None, at: datetime) -> str:
    """One group's share and coming steps, before and after; "" where they are the same."""
    shares = [share_text(0 if row is None else row["share"]) for row in (was, now)]
    steps = [[] if row is None else _steps(row, at) for row in (was, now)]
    if steps[0] == steps[1]:
        return "" if shares[0] == shares[1] else " → ".join(shares)
    return " → ".join(", ".join([share, *coming]) for share, coming in zip(shares, steps, strict=True))


def _steps(row: dict[str, Any], at: datetime) -> list[str]:
    """The steps of a logged row that come after a moment."""
    steps = sorted((datetime.fromisoformat(step["at"]), step["share"]) for step in row["steps"])
    return [step_text(share, when) for when, share in steps if when > at]


def _whom(segment: str | None) -> str:
    return _("everyone") if segment is None else segment


def state_words(logged_state: dict[str, Any] | None, at: datetime | None = None) -> str:
    """A logged state in words: the state, the variant, and each group's share; with a moment, also later steps."""
    if logged_state is None:
        return _("nothing rolled out")
    label = str(dict(Rollout.State.choices).get(logged_state["state"], logged_state["state"]))
    if logged_state["state"] in (Rollout.State.KILLED, Rollout.State.BACK):
        return label
    shares = ", ".join(
        ", ".join([f"{_whom(row['segment'])} {share_text(row['share'])}", *([] if at is None else _steps(row, at))])
        for row in logged_state["rows"]
    )
    return f"{label}: {logged_state['variant']} – {shares}"


def consequences(move: Move, stored: Rollout) -> list[str]:
    """Consequences of a move, shown before a person confirms it."""
    default = _("Everybody gets the value outside the experiment within two seconds, whoever had the group, too.")
    match move:
        case Move.KILL:
            return [default, _("The steps stay as they are. You can resume the rollout afterwards.")]
        case Move.BACK:
            return [default, _("The rollout ends. To give the group to anybody again, ship it again.")]
        case Move.HOLD:
            return [
                _("Users who have the group's value still get it. The steps that come are not taken until you resume.")
            ]
    if stored.state == Rollout.State.KILLED and stored.held_at is not None:
        return [
            _(
                "Users who had the group's value get it again. The rollout is then paused, as it was before the "
                "kill switch."
            )
        ]
    coming = [row for row in record_of(stored, 0).rows if _waits(row, stored)]
    sentences = [_("Users who had the group's value get it again, and the steps go on by their dates.")]
    if coming:
        sentences.append(_("Steps whose date has gone by in the meantime are taken at once:"))
        now = timezone.now()
        sentences += [f"{who(row)}: {share_text(row.share_at(now))}" for row in coming]
    return sentences


def _waits(row: RolloutRow, stored: Rollout) -> bool:
    """True when a step of the row became due while the rollout was held or killed."""
    since = stored.held_at or stored.noted_at
    return row.share_at(timezone.now()) > row.share_at(since)


def kill_sentences(stops: Killed, stored: Rollout | None) -> list[str]:
    """Consequences of the kill switch."""
    if stops is Killed.ROLLOUT and stored is not None:
        return consequences(Move.KILL, stored)
    return [
        _("Everybody gets the value outside the experiment within two seconds; nobody new is enrolled."),
        _("The experiment is paused by it: you can resume it, and its users get their group again."),
        _("A pause weakens the result: those days carry no nudge."),
    ]
