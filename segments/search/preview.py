"""Preview of a search for groups: eligible and excluded users, run time, and validation against the data.

`foretell` queries the log; `foretold` is pure, from the numbers alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from events.asking import questions
from events.counting import queries
from events.metrics import Survival, outcome_window
from reporting.words import Message, say
from runs.last_runs import last_spent
from runs.run_times import Told, tell
from runs.spent import Spent
from segments.models import SegmentationRun
from segments.search import queries as own
from segments.search.features import MIN_ACTIVE_DAYS
from segments.search.gather import MAX_BEHAVIOURS, choose_behaviours, refuse_marks
from segments.search.question import Inputs, check_inputs
from segments.search.segmentation import MIN_UNITS
from segments.search.segmentations import PACE, search_size

LEAST_BEHAVIOURS = 2


@dataclass(frozen=True)
class Trouble:
    """An error or warning about the inputs: the field, the reason, and the value that corrects it.

    Attributes:
        field: of the form; "" for the inputs as a whole.
        why: one sentence.
        label: of the correction's button, None where there is none.
        value: what the correction writes into the field.
        refuses: False for a warning.
    """

    field: str
    why: Message
    label: Message | None = None
    value: str = ""
    refuses: bool = True


@dataclass(frozen=True)
class Foretold:
    """Preview of a search for groups.

    Attributes:
        signed_up: users of the cohort.
        too_young: excluded, since their days of play or of retention aren't complete.
        quiet: excluded from groups, with too few active days for a pattern; counted in the tiers.
        placed: users who would form the groups.
        behaviours: largest number of features; near-duplicates are dropped later.
        unlisted: event names beyond the most that a search takes.
        takes: expected run time.
        troubles: errors and warnings.
    """

    signed_up: int
    too_young: int
    quiet: int
    placed: int
    behaviours: int
    unlisted: int
    takes: Told
    troubles: tuple[Trouble, ...]

    @property
    def refuses(self) -> bool:
        """Whether starting it would be refused."""
        return any(trouble.refuses for trouble in self.troubles)


def foretell(inputs: Inputs) -> Foretold:
    """Preview of a search on the current log.

    Raises:
        Refused: invalid inputs, an event that the log doesn't have, no event at all.
    """
    check_inputs(inputs)
    with questions(day_mode=inputs.day_mode) as asked:
        asked.need_event(inputs.signup_event, "--signup-event")
        refuse_marks(asked, inputs)
        names = queries.event_names(asked.log)
        known = int(asked.run(names.aggregate(n=names.count())).n.iloc[0])
        behaviours = len(choose_behaviours(asked, inputs))
        definition = inputs.definition
        fixed = definition is not None and not isinstance(definition, Survival)
        first, last = inputs.dates
        everybody = queries.cohort(asked.log, inputs.signup_event, asked.basis, first=first, last=last)
        users = own.eligible(everybody, inputs.window, outcome_window(definition) if fixed and definition else None)
        signed_up = int(asked.run(everybody.aggregate(n=everybody.count())).n.iloc[0])
        eligible = int(asked.run(users.aggregate(n=users.count())).n.iloc[0])
        least = min(MIN_ACTIVE_DAYS, len(inputs.window))
        placed = int(asked.run(own.active_on(asked.log, users, asked.basis, inputs.window, least)).n.iloc[0])
        oldest = int(asked.run(everybody.aggregate(n=everybody.complete_days.max().fill_null(0))).n.iloc[0])
    unlisted = 0 if inputs.behaviours else max(0, known - MAX_BEHAVIOURS - 1)
    taken = last_spent(SegmentationRun)
    return foretold(inputs, signed_up, eligible, placed, behaviours, unlisted=unlisted, oldest=oldest, last=taken)


def foretold(
    inputs: Inputs,
    signed_up: int,
    eligible: int,
    placed: int,
    behaviours: int,
    *,
    unlisted: int = 0,
    oldest: int = 0,
    last: Sequence[Spent] = (),
) -> Foretold:
    """Preview of a search, from numbers alone. Pure.

    Args:
        inputs: inputs of the run.
        signed_up: users of the cohort.
        eligible: those whose days of play and of retention are complete.
        placed: those of them with enough active days.
        behaviours: number of behaviours that would be counted.
        unlisted: event names beyond the most that a search takes.
        oldest: complete days of the cohort's oldest user.
        last: run times of the last searches, the latest first.
    """
    takes = tell(PACE, search_size(eligible, placed, behaviours), last)
    troubles = tuple(_troubles(inputs, signed_up, eligible, placed, behaviours, oldest))
    return Foretold(signed_up, signed_up - eligible, eligible - placed, placed, behaviours, unlisted, takes, troubles)


def _troubles(
    inputs: Inputs, signed_up: int, eligible: int, placed: int, behaviours: int, oldest: int
) -> list[Trouble]:
    if not signed_up:
        bounded = inputs.first_date is not None or inputs.last_date is not None
        if bounded:
            field = "first_date" if inputs.first_date is not None else "last_date"
            return [Trouble(field, say("Nobody signed up between these dates."), say("Leave the date open"))]
        return [Trouble("signup_event", say("Nobody did this event."))]
    if not eligible:
        return [_too_young(inputs, signed_up, oldest)]
    found: list[Trouble] = []
    if behaviours < LEAST_BEHAVIOURS:
        why = say(
            "Groups are told apart by at least {least} behaviours, and here are {count}.",
            least=LEAST_BEHAVIOURS,
            count=behaviours,
        )
        label = say("Take every event") if inputs.behaviours else None
        found.append(Trouble("behaviours", why, label))
    if placed < MIN_UNITS:
        why = say(
            "Only {placed:,} of {eligible:,} users were active on {days} days or more. Below {least} no groups are "
            "looked for.",
            placed=placed,
            eligible=eligible,
            days=min(MIN_ACTIVE_DAYS, len(inputs.window)),
            least=MIN_UNITS,
        )
        found.append(Trouble("last_day", why))
    elif placed * 2 < eligible:
        why = say(
            "So many users were hardly active on these days that {share}% will have no group.",
            share=round(100 * (1 - placed / eligible)),
        )
        found.append(Trouble("last_day", why, refuses=False))
    return found


def _too_young(inputs: Inputs, signed_up: int, oldest: int) -> Trouble:
    why = say("None of the {count:,} users who signed up has completed these days yet.", count=signed_up)
    if inputs.retention is not None and inputs.window.days_needed <= oldest:
        return Trouble("retention", why, say("Look for groups without retention"))
    last = oldest - 1
    if last > inputs.first_day:
        return Trouble("last_day", why, say("Look at days up to {day}", day=last), str(last))
    return Trouble("last_day", why)
