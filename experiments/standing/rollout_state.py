"""A rollout as its page shows it: the present state, what comes next, and what was done by whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from experiments.draw.rollout_record import RolloutRow
from experiments.models import Experiment, Rollout, RolloutMove
from experiments.serve.rollout.rollout_lifecycle import Killed, Move
from experiments.serve.rollout.served_rollout import record_of

MOST = 100  # moves on the page; REST has the others
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
    """One row in words: whom it is for, how many of them have it now, and what comes."""

    who: str
    now: str
    then: tuple[str, ...]


def shown_rows(stored: Rollout) -> list[ShownRow]:
    """The rows of a rollout as they stand now."""
    record, now = record_of(stored, 0), timezone.now()
    killed = stored.state == Rollout.State.KILLED
    return [
        ShownRow(who(row), share_text(0 if killed else record.share(row, now)), tuple(_coming(row, now)))
        for row in record.rows
    ]


def share_text(steps: int) -> str:
    """A share as a person set it: no more decimals than it has."""
    return f"{steps / 100:g}%"


def who(row: RolloutRow) -> str:
    """Whom a row is for."""
    return _("everyone") if row.segment is None else row.segment


def _coming(row: RolloutRow, now: datetime) -> list[str]:
    text = _("{share} from {moment}")
    return [text.format(share=share_text(step.share), moment=_moment(step.at)) for step in row.steps if step.at > now]


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT")


def history(experiment: Experiment) -> list[dict[str, Any]]:
    """Every move, the newest first: who, when, why, from what to what."""
    rows = RolloutMove.objects.filter(experiment=experiment).select_related("by")[:MOST]
    return [{"row": row, "before": state_words(row.before), "after": state_words(row.after)} for row in rows]


def state_words(said: dict[str, Any] | None) -> str:
    """A state of the log in words: the state, the variant, and each row's share of that moment."""
    if said is None:
        return _("nothing rolled out")
    label = str(dict(Rollout.State.choices).get(said["state"], said["state"]))
    if said["state"] in (Rollout.State.KILLED, Rollout.State.BACK):
        return label
    shares = ", ".join(
        f"{_('everyone') if row['segment'] is None else row['segment']} {share_text(row['share'])}"
        for row in said["rows"]
    )
    return f"{label}: {said['variant']} – {shares}"


def consequences(move: Move, stored: Rollout) -> list[str]:
    """What a move will do, before a person confirms it."""
    default = _("Everybody gets the value outside the experiment within two seconds, whoever had the variant, too.")
    match move:
        case Move.KILL:
            return [default, _("The steps stay as they are. You can resume the rollout afterwards.")]
        case Move.BACK:
            return [default, _("The rollout ends. To give the variant to anybody again, ship it again.")]
        case Move.HOLD:
            return [_("Who has the variant keeps it. The steps that come are not taken until you resume.")]
    if stored.state == Rollout.State.KILLED and stored.held_at is not None:
        return [_("Who had the variant gets it again. The rollout is paused then, as it was before the kill switch.")]
    coming = [row for row in record_of(stored, 0).rows if _waits(row, stored)]
    sentences = [_("Who had the variant gets it again, and the steps go on by their dates.")]
    if coming:
        sentences.append(_("Steps whose date has gone by in the meantime are taken at once:"))
        now = timezone.now()
        sentences += [f"{who(row)}: {share_text(row.share_at(now))}" for row in coming]
    return sentences


def _waits(row: RolloutRow, stored: Rollout) -> bool:
    """A step of the row has come while the rollout stood still."""
    since = stored.held_at or stored.noted_at
    return row.share_at(timezone.now()) > row.share_at(since)


def kill_sentences(stops: Killed, stored: Rollout | None) -> list[str]:
    """What the kill switch will do."""
    if stops is Killed.ROLLOUT and stored is not None:
        return consequences(Move.KILL, stored)
    return [
        _("Everybody gets the value outside the experiment within two seconds; nobody new is enrolled."),
        _("The experiment is paused by it: you can resume it, and its units get their variant again."),
        _("A pause weakens the result: those days carry no nudge."),
    ]
