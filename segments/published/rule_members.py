"""Find the units that match a rule, from their events and traits."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.core.cache import cache
from django.db.models import F

from events.catalogue.listing import PropertyEntry, catalogue
from events.catalogue.refresh import ready_catalogue
from events.models import Flush, UnitTraits
from events.store.ownership import StoreRefused
from events.warehouse import queries
from events.warehouse.arm_marks import refuse_arm_marks
from events.warehouse.explore_session import Prepared, Stop, prepared
from events.warehouse.session import WarehouseSession, questions
from reporting.words import say
from runs.progress import silent
from runs.refusals import Refused
from segments.models import Membership, SegmentVersion
from segments.published.queries import recent_active_days, recent_counts
from segments.published.segment_marks import of_rule
from segments.rules import (
    FEATURES,
    BehaviourCount,
    Feature,
    Needs,
    RecentCount,
    Rule,
    Subject,
    Trait,
    is_live,
    members,
    needs,
    parse_rule,
)
from segments.rules.editor_view import Known, KnownEvent, KnownTrait
from segments.search import queries as own
from segments.search.leaving import Share, rate

if TYPE_CHECKING:
    import pandas as pd

Place = Membership.Place
BATCH = 5_000


def rule_places(version: SegmentVersion) -> Iterator[tuple[str, int | None, str]]:
    """Every unit with its place: in segment 0 (a member) or outside."""
    units, flags = evaluate_rule(parse_rule(version.rule), version.inputs["signup_event"])
    return (
        (unit, 0, Place.MEMBER) if flag else (unit, None, Place.OUTSIDE)
        for unit, flag in zip(units, flags.tolist(), strict=True)
    )


def evaluate_rule(rule: Rule, signup_event: str) -> tuple[list[str], Any]:
    """All units, and whether the rule holds for each.

    Raises:
        Refused: as `read_facts`, and for a condition that reveals the arms of a locked experiment.
    """
    refuse_arm_marks({"": of_rule(rule, signup_event)})
    facts = read_facts(RuleFacts(signup_event), needs(rule))
    units, columns = facts.columns(needs(rule))
    return units, members(rule, columns, units=len(units))


@dataclass
class RuleFacts:
    """Cache of units' facts for one rule editor: a changed rule only queries what is missing.

    Attributes:
        signup_event: event whose first occurrence starts a unit's clock.
        one_in: 1 for all users, else the sample is one in so many users of the log.
        units: of the log; None before they were read, or where there is no log to read.
        counted: counts and features, in the order of `units`.
        traits: of every unit that has any; None before they were read.
        version: of the snapshot that was read; "" for the store itself.
    """

    signup_event: str
    one_in: int = 1
    units: list[str] | None = None
    counted: dict[Subject, Any] = field(default_factory=dict)
    traits: dict[str, dict[str, Any]] | None = None
    version: str = ""

    def start_anew(self) -> None:
        """Clear the cache."""
        self.units, self.traits, self.counted = None, None, {}

    def missing(self, wanted: Needs) -> list[Subject]:
        """Counts and features that a rule needs and that aren't cached."""
        return [each for each in _counted(wanted) if each not in self.counted]

    def columns(self, wanted: Needs) -> tuple[list[str], dict[Subject, Any]]:
        """The units to evaluate a rule on, and a column for each of its subjects, one value per unit."""
        units, traits = list(self.units or ()), self.traits or {}
        if wanted.traits:
            units += sorted(traits.keys() - set(units))
        by_subject: dict[Subject, Any] = {}
        for subject in _counted(wanted):
            column = np.full(len(units), np.nan)
            known = self.counted.get(subject, ())
            column[: len(known)] = known
            by_subject[subject] = column
        for name in wanted.traits:
            by_subject[Trait(name)] = np.array([traits.get(unit, {}).get(name) for unit in units], dtype=object)
        return units, by_subject


def _counted(wanted: Needs) -> list[Subject]:
    return [*wanted.behaviours, *map(Feature, wanted.features), *wanted.recent]


def read_facts(facts: RuleFacts, wanted: Needs) -> RuleFacts:
    """Read what a rule needs and the cache lacks; changes `facts` in place.

    Args:
        facts: the cache.
        wanted: what the rule needs.

    Raises:
        Refused: no event yet, or an event that the log doesn't have.
    """
    missing = facts.missing(wanted)
    if facts.units is None or missing:
        try:
            with questions() as store:
                _read_log(store, facts, missing)
        except StoreRefused:
            raise
        except Refused:
            if missing or not UnitTraits.objects.exists():
                raise  # without a log only traits can be used
    if wanted.traits and facts.traits is None:
        facts.traits = traits_of(facts)
    return facts


def _read_log(store: WarehouseSession, facts: RuleFacts, missing: list[Subject]) -> None:
    counts = [subject for subject in missing if isinstance(subject, BehaviourCount)]
    recent = [subject for subject in missing if isinstance(subject, RecentCount)]
    need_events(store, [facts.signup_event], "--signup-event")
    need_events(store, _events_of(missing))
    users = queries.cohort(store.log, facts.signup_event, store.basis)
    if any(isinstance(subject, Feature) for subject in missing):
        frame = store.units(own.life(store.log, users, store.basis)).set_index("user_id").sort_index()
        facts.counted |= {Feature(name): frame[name].to_numpy(dtype=np.float64) for name in FEATURES}
    else:
        frame = store.units(users.select("user_id")).set_index("user_id").sort_index()
    units = [str(unit) for unit in frame.index]
    if facts.units is not None and facts.units != units:
        facts.start_anew()  # users were added in between: counts of two times can't be combined
        return _read_log(store, facts, missing)
    facts.units = units
    if counts:
        pairs = [(count.behaviour, count.days) for count in counts]
        counted = store.units(own.counts_within(store.log, users, store.basis, pairs)).set_index("user_id")
        facts.counted |= _columns(counts, counted.reindex(frame.index))
    if recent:
        counted = store.units(recent_counts(store.log, users, store.basis, recent)).set_index("user_id")
        facts.counted |= _columns(recent, counted.reindex(frame.index))
    return None


def _columns(counts: Sequence[Subject], counted: "pd.DataFrame") -> dict[Subject, Any]:
    """The columns ``c_0, c_1, …`` by what they count; units without a row have 0."""
    numbers = counted.fillna(0)
    return {count: numbers[f"c_{place}"].to_numpy(dtype=np.float64) for place, count in enumerate(counts)}


def _events_of(missing: Iterable[Subject]) -> list[str]:
    """Names of the events that these subjects count."""
    counts = [subject for subject in missing if isinstance(subject, BehaviourCount | RecentCount)]
    return [count.behaviour.event for count in counts if count.behaviour is not None]


def need_events(store: WarehouseSession, names: list[str], option: str = "") -> None:
    """Refuse names that the log doesn't have; one short query when it has them all."""
    wanted = {name for name in names if name != "*"}
    known = set(store.run(own.names_among(store.log, sorted(wanted))).event) if wanted else set()
    for name in sorted(wanted - known):
        store.need_event(name, option, where="" if option else say("rule"))


def traits_of(facts: RuleFacts) -> dict[str, dict[str, Any]]:
    """Traits of all units, or of a sample's units."""
    rows = UnitTraits.objects.values_list("user_id", "traits")
    if facts.one_in == 1 or facts.units is None:
        return dict(rows.iterator(chunk_size=BATCH))
    traits: dict[str, dict[str, Any]] = {}
    for units in batched(facts.units, BATCH):
        traits |= dict(rows.filter(user_id__in=units))
    return traits


# Facts for a rule, read from Explore's snapshot within a second or two; cancelled when the client has gone.


def read_quickly(facts: RuleFacts, wanted: Needs, *, stop: Stop) -> RuleFacts:
    """As `read_facts`, for the users of a sample where `facts.one_in` is above 1.

    Raises:
        Refused: no event yet, or an event that the log doesn't have.
        Cancelled: `stop` was set.
    """
    missing = facts.missing(wanted)
    if facts.units is None or missing:
        try:
            with prepared(day_mode="rolling", stop=stop, progress=silent) as session:
                _quick_facts_read(session, facts, wanted)
        except StoreRefused:
            raise
        except Refused:
            if missing or not UnitTraits.objects.exists():
                raise  # without a log only traits can be used
    stop.check()
    if wanted.traits and facts.traits is None:
        facts.traits = traits_of(facts)
    return facts


def _quick_facts_read(session: Prepared, facts: RuleFacts, wanted: Needs) -> None:
    if facts.version != session.folder.name:
        facts.start_anew()  # counts of two times can't be combined
        facts.version = session.folder.name
    missing = facts.missing(wanted)
    counts = [subject for subject in missing if isinstance(subject, BehaviourCount)]
    recent = [subject for subject in missing if isinstance(subject, RecentCount)]
    _need_events(session, facts.signup_event, _events_of(missing))
    log = session.log if facts.one_in == 1 else own.one_in(session.log, facts.one_in)
    users = queries.cohort(log, facts.signup_event, session.basis)
    with session.warehouse.kept(users) as cohort:
        rows = session.warehouse.arrow(
            session.warehouse.named(cohort.select("user_id"), key="number").order_by("number")
        )
        numbers = rows["number"].to_numpy()
        facts.units = rows["user_id"].to_pylist()
        for count in counts:
            session.stop.check()
            distinct = count.behaviour.distinct is not None
            table = own.acts_within(session.acts(count.behaviour), cohort, session.basis, count.days, distinct=distinct)
            facts.counted[count] = _aligned(numbers, session.warehouse.arrow(table), "n")
        if any(isinstance(subject, Feature) for subject in missing):
            session.stop.check()
            lives = session.warehouse.arrow(own.life(log, cohort, session.basis))
            facts.counted |= {Feature(name): _aligned(numbers, lives, name) for name in FEATURES}
        days = [count for count in recent if count.behaviour is None]
        others = [count for count in recent if count.behaviour is not None]
        for some, log_of, question in ((days, session.active, recent_active_days), (others, log, recent_counts)):
            if some:
                session.stop.check()
                table = session.warehouse.arrow(question(log_of, cohort, session.basis, some))
                facts.counted |= {count: _aligned(numbers, table, f"c_{at}") for at, count in enumerate(some)}


def _need_events(session: Prepared, signup_event: str, wanted: list[str]) -> None:
    names = set(session.event_names())
    if signup_event != "*" and signup_event not in names:
        raise Refused("there is no event {event!r} in the log.", event=signup_event, at="signup-event")
    for event in wanted:
        if event not in names:
            what = say("there is no event {event!r} in the log.", event=event)
            raise Refused("{where}: {what}", where=say("rule"), what=what)


def _aligned(numbers: Any, table: Any, name: str) -> Any:
    """A column in the order of the users' numbers; users without a row have 0."""
    column = np.zeros(len(numbers))
    place = np.searchsorted(numbers, table["user_id"].to_numpy())
    column[place] = table[name].to_numpy().astype(np.float64)
    return column


# Live count of a rule's members while it is being edited, from cached facts, and from a sample of a large store.
#
# Facts are cached for two minutes in this process, so that changing a threshold needs no query. A newer count of the
# same person cancels an older one before its next query.

USERS_COUNTED = 100_000  # more users change a share by less than a third of a point
EVENTS_OF_A_USER = 40  # the log is read for four million events at most
RULE_COUNT_SECONDS = 120.0
KEPT = 4
_asking: dict[str, Stop] = {}
_lock = Lock()
_rule_count_read: dict[tuple[str, str, int, int, int], tuple[float, RuleFacts]] = {}


@dataclass(frozen=True)
class Counted:
    """How many users match a rule.

    Attributes:
        members: counted users that match.
        units: users counted.
        one_in: 1 when all users are counted, else one in so many.
        share: share of members with its interval; None without any user.
        live: whether the rule can be evaluated during an assignment.
    """

    members: int
    units: int
    one_in: int
    share: Share | None
    live: bool


def count_rule(rule: Rule, signup_event: str, *, asker: str = "") -> Counted:
    """Count the users that match a rule, from facts at most two minutes old. Nothing is stored.

    Args:
        rule: a complete, parsed rule.
        signup_event: event whose first occurrence starts a user's clock.
        asker: id of the client; a newer count for the same client cancels this one.

    Raises:
        Refused: no event yet, an event that the log doesn't have, or a condition that reveals the arms of a locked
            experiment.
        Cancelled: the same client started another count.
    """
    stop = Stop()
    end_count(asker)
    if asker:
        _asking[asker] = stop
    wanted = needs(rule)
    refuse_arm_marks({"": of_rule(rule, signup_event)})
    try:
        with _lock:  # two questions must not fill the same facts
            stop.check()
            facts = _facts(signup_event)
            if settings.WAREHOUSE_URL:
                read_facts(facts, wanted)
            else:
                read_quickly(facts, wanted, stop=stop)
            units, columns = facts.columns(wanted)
    finally:
        if _asking.get(asker) is stop:
            del _asking[asker]
    taken = int(members(rule, columns, units=len(units)).sum())
    return Counted(taken, len(units), facts.one_in, rate(taken, len(units)) if units else None, is_live(rule))


def end_count(asker: str) -> None:
    """Cancel this client's running count, also during a query, since the rule has changed."""
    before = _asking.get(asker)
    if before is not None:
        before.now()


def _facts(signup_event: str) -> RuleFacts:
    """The cached facts of this store, at most two minutes old, or an empty cache."""
    traits, listed = UnitTraits.objects.count(), catalogue()
    users = max(traits, listed.users, listed.total_events // EVENTS_OF_A_USER)
    flush = Flush.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    key = (settings.EVENTS_URL + settings.WAREHOUSE_URL, signup_event, flush, traits, USERS_COUNTED)
    now = time.monotonic()
    for old in [name for name, (at, _) in _rule_count_read.items() if now - at > RULE_COUNT_SECONDS]:
        _rule_count_read.pop(old, None)
    if key not in _rule_count_read:
        while len(_rule_count_read) >= KEPT:
            _rule_count_read.pop(next(iter(_rule_count_read)), None)
        _rule_count_read[key] = (now, RuleFacts(signup_event, one_in=_one_in(users)))
    return _rule_count_read[key][1]


def _one_in(users: int) -> int:
    """Sampling rate: our own engine counts one in so many users, an external warehouse all of them."""
    return 1 if settings.WAREHOUSE_URL else max(1, round(users / USERS_COUNTED))


# Options of a rule's form: traits with their values, and events of the log.

USERS_READ = 20_000
VALUES_SHOWN = 30
RULE_NAMES_SECONDS = 120
LONGEST_VALUE = 80  # the longest that the catalogue stores
KEY = "segments.rule_names.traits"


def known_names() -> Known:
    """Traits and events that can be picked; traits are at most two minutes old."""
    traits: tuple[dict[str, KnownTrait], int | None] | None = cache.get(KEY)
    if traits is None:
        traits = _traits()
        cache.set(KEY, traits, RULE_NAMES_SECONDS)
    events, signup = _events()
    return Known(traits[0], events, traits[1], signup)


def _traits() -> tuple[dict[str, KnownTrait], int | None]:
    """Traits of all users, or of a sample of about `USERS_READ`, spread over all of them."""
    rows = UnitTraits.objects.all()
    users = rows.count()
    every = max(1, users // USERS_READ)
    if every > 1:
        rows = rows.annotate(place=F("pk") % every).filter(place=0)
    names: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {}
    read = 0
    for traits in rows.values_list("traits", flat=True).iterator(chunk_size=5_000):
        read += 1
        for name, value in traits.items():
            if value is not None:
                names[name] += 1
                values.setdefault(name, Counter())[_json(value)] += 1
    known = {name: _trait(values[name], everybody=every == 1) for name, _ in names.most_common()}
    return known, None if every == 1 else read


def _trait(counts: Counter[str], *, everybody: bool) -> KnownTrait:
    scalars = [json.loads(text) for text, _ in counts.most_common(VALUES_SHOWN) if text]
    return KnownTrait(tuple(scalars), whole=everybody and len(counts) <= VALUES_SHOWN and "" not in counts)


def _json(value: Any) -> str:
    """A value as JSON; "" for values that a rule can't compare with: lists, objects, and empty or unprintable texts."""
    if isinstance(value, str) and not (value and value.isprintable()):
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else ""


def _events() -> tuple[dict[str, KnownEvent], str | None]:
    """Events of the catalogue, with observed values of their properties; empty while a worker builds the catalogue."""
    try:
        listed = ready_catalogue()
    except Refused:
        return {}, None
    shown = listed.search("", limit=len(listed.events))
    events = {entry.name: KnownEvent({each.name: _texts(each) for each in entry.properties}) for entry in shown}
    return events, listed.guess_signup() if events else None


def _texts(entry: PropertyEntry) -> tuple[str, ...]:
    """Values that a field can hold, without those that the catalogue truncates."""
    return tuple(text for text, _ in entry.values if 0 < len(text) < LONGEST_VALUE and text.isprintable())
