"""Services that preview, start and compute a segmentation, for the page, the command and the API."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.contrib.auth.models import User

from events.metrics import Survival, outcome_window
from events.warehouse.price import price_of as store_price
from events.warehouse.session import questions
from reporting.document import dump, load
from reporting.words import Message, reason_words, say
from runs.perform import Computation, enqueue, last_spent
from runs.prices import Price
from runs.progress import Early, Progress, part, silent
from runs.refusals import Refused
from runs.run_times import Pace, Spent, Told, measured, tell
from runs.spending import refuse_over_budget
from segments.models import SegmentationRun
from segments.search import queries as own
from segments.search.composition import compose
from segments.search.features import MIN_ACTIVE_DAYS
from segments.search.gather import MAX_BEHAVIOURS, check_behaviours, choose_behaviours, read_play, refuse_marks
from segments.search.question import Inputs, check_inputs
from segments.search.readings import readings
from segments.search.result import FITTED, SEGMENTATION, Report
from segments.search.segmentation import MIN_UNITS, Options
from stats.results import NotComputable

# How the run time of a segmentation scales; docs/scale.md has the figures.

COUNTING, GROUPS = "counting", "groups"
# By users as in its table; by the sample between its 1,370 and 46,079 users there. By behaviours it is a guess.
PACE = Pace(
    slopes={COUNTING: {"users": 0.62, "behaviours": 0.5}, GROUPS: {"sample": 0.44, "behaviours": 0.2}},
    usual={COUNTING: 4.0, GROUPS: 80.0},
    at={"users": 100_000, "sample": 46_000, "behaviours": 15},
)


def search_size(users: int, placed: int, behaviours: int) -> dict[str, int]:
    """Sizes that the run time of the steps scales with.

    Args:
        users: number of users whose days of play and of retention are complete.
        placed: number of those with enough active days.
        behaviours: number of counted behaviours.
    """
    return {"users": users, "sample": min(placed, Options().model_rows), "behaviours": behaviours}


def start_segmentation(*, inputs: Inputs, title: str = "", seed: int = 1, by: User | None = None) -> SegmentationRun:
    """Queue a segmentation.

    Raises:
        Refused: invalid inputs; nothing is stored then.
    """
    check_inputs(inputs)
    return enqueue(SegmentationRun(title=title, inputs=dump(inputs), seed=seed, created_by=by))


def price_of(inputs: Inputs) -> Price:
    """What a search with checked inputs would read."""
    return store_price(lambda store: readings(inputs, store), day_mode=inputs.day_mode, dates=inputs.dates)


def price_of_run(run: SegmentationRun) -> Price:
    """What a stored search would read."""
    return price_of(load(Inputs, run.inputs))


def segment_now(*, inputs: Inputs, title: str = "", seed: int = 1, listen: Progress = silent) -> SegmentationRun:
    """Compute a segmentation in this process, for the command line. The returned row has the result or the error.

    Raises:
        Refused: inputs that are invalid or don't fit the log; nothing is stored then.
    """
    check_inputs(inputs)
    refuse_over_budget(price_of(inputs))
    # Before creating the row: invalid input must leave nothing behind.
    with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as store:
        store.need_event(inputs.signup_event, "--signup-event")
        check_behaviours(store, inputs)
        refuse_marks(store, inputs)
    run = SegmentationRun(title=title, inputs=dump(inputs), seed=seed)
    run.full_clean()
    run.save()
    compute_segmentation(run.pk, listen=listen)
    run.refresh_from_db()
    return run


def _compute(run: SegmentationRun, progress: Progress, early: Early) -> Report:
    inputs = load(Inputs, run.inputs)
    progress("counts", 0.0)
    with measured() as spent:
        with questions(day_mode=inputs.day_mode, memory=settings.SEGMENTS_MEMORY) as store:
            play = read_play(store, inputs, seed=run.seed, early=early)
            as_of = store.basis.data_end
        spent.ended(COUNTING)
        composed = compose(play, inputs, seed=run.seed, progress=part(progress, 0.1, 1.0), early=early)
        if isinstance(composed, NotComputable):
            raise Refused(reason_words(composed))
        spent.ended(GROUPS)
        units = composed.report.units
        size = search_size(units.eligible, units.clustered, len(play.whole.behaviours))
        report = replace(composed.report, spent=spent(size))
    model = FITTED.store(composed.segmentation.model)
    SegmentationRun.objects.filter(pk=run.pk).update(as_of=as_of, model=model)
    return report


compute_segmentation = Computation(SegmentationRun, _compute, SEGMENTATION.store)


# Preview of a search for groups: eligible and excluded users, run time, and validation against the data.
#
# `foretell` queries the log; `foretold` is pure, from the numbers alone.

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
    with questions(day_mode=inputs.day_mode) as session:
        store = session.about(*inputs.dates)
        store.need_event(inputs.signup_event, "--signup-event")
        refuse_marks(store, inputs)
        known = len(store.names)
        behaviours = len(choose_behaviours(store, inputs))
        definition = inputs.definition
        fixed = definition is not None and not isinstance(definition, Survival)
        everybody = store.cohort(inputs.signup_event)
        users = own.eligible(everybody, inputs.window, outcome_window(definition) if fixed and definition else None)
        signed_up = int(store.run(everybody.aggregate(n=everybody.count())).n.iloc[0])
        eligible = int(store.run(users.aggregate(n=users.count())).n.iloc[0])
        least = min(MIN_ACTIVE_DAYS, len(inputs.window))
        placed = int(store.run(own.active_on(store.log, users, store.basis, inputs.window, least)).n.iloc[0])
        oldest = int(store.run(everybody.aggregate(n=everybody.complete_days.max().fill_null(0))).n.iloc[0])
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
    troubles: list[Trouble] = []
    if behaviours < LEAST_BEHAVIOURS:
        why = say(
            "Groups are separated by at least {least} behaviours, and here are {count}.",
            least=LEAST_BEHAVIOURS,
            count=behaviours,
        )
        label = say("Take every event") if inputs.behaviours else None
        troubles.append(Trouble("behaviours", why, label))
    if placed < MIN_UNITS:
        why = say(
            "Only {placed:,} of {eligible:,} users were active on {days} days or more. Below {least} no groups are "
            "searched for.",
            placed=placed,
            eligible=eligible,
            days=min(MIN_ACTIVE_DAYS, len(inputs.window)),
            least=MIN_UNITS,
        )
        troubles.append(Trouble("last_day", why))
    elif placed * 2 < eligible:
        why = say(
            "So many users were hardly active on these days that {share}% will have no group.",
            share=round(100 * (1 - placed / eligible)),
        )
        troubles.append(Trouble("last_day", why, refuses=False))
    return troubles


def _too_young(inputs: Inputs, signed_up: int, oldest: int) -> Trouble:
    why = say("None of the {count:,} users who signed up has completed these days yet.", count=signed_up)
    if inputs.retention is not None and inputs.window.days_needed <= oldest:
        return Trouble("retention", why, say("Search for groups without retention"))
    last = oldest - 1
    if last > inputs.first_day:
        return Trouble("last_day", why, say("Use days up to {day}", day=last), str(last))
    return Trouble("last_day", why)
