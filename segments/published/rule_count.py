"""How many users a rule takes while it is being written: kept facts answer at once, a large store by a sample.

What was read is kept for two minutes in this process, so that another threshold asks nothing. A newer count of the same
person stops an older one before its next question.
"""

import time
from dataclasses import dataclass
from threading import Lock

from django.conf import settings

from events.arm_marks import refuse_arm_marks
from events.catalogue.listing import catalogue
from events.models import Flush, UnitTraits
from events.prepared.opened import Stop
from segments.published.quick_facts import read_quickly
from segments.published.rule_members import RuleFacts, read_facts
from segments.published.segment_marks import of_rule
from segments.rules import Rule, is_live, members, needs
from segments.search.leaving import Share, rate

USERS_COUNTED = 100_000  # more change a share by less than a third of a point
EVENTS_OF_A_USER = 40  # the log is read for four million events at most
SECONDS = 120.0
KEPT = 4
_asking: dict[str, Stop] = {}
_lock = Lock()
_read: dict[tuple[str, str, int, int, int], tuple[float, RuleFacts]] = {}


@dataclass(frozen=True)
class Counted:
    """How many users a rule takes.

    Attributes:
        members: users that it takes, of those counted.
        units: users counted.
        one_in: 1 when that is everybody, else one in so many.
        share: of them, with its interval; None without any user.
        live: whether it can be answered during an assignment.
    """

    members: int
    units: int
    one_in: int
    share: Share | None
    live: bool


def count_rule(rule: Rule, signup_event: str, *, asker: str = "") -> Counted:
    """How many users a rule takes now, at most two minutes old. Nothing is stored.

    Args:
        rule: whole and parsed.
        signup_event: whose first occurrence starts a user's clock.
        asker: who waits for the answer; a newer question of theirs ends this one.

    Raises:
        Refused: no event yet, an event that the log doesn't have, or a condition that would tell the arms of a locked
            experiment apart.
        Cancelled: they asked anew.
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
    """End what this person waits for, since they have changed the rule: also while the engine is at work."""
    before = _asking.get(asker)
    if before is not None:
        before.now()


def _facts(signup_event: str) -> RuleFacts:
    """What was read of this store within two minutes, or empty facts to fill."""
    traits, listed = UnitTraits.objects.count(), catalogue()
    users = max(traits, listed.users, listed.total_events // EVENTS_OF_A_USER)
    flush = Flush.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    key = (settings.EVENTS_URL + settings.WAREHOUSE_URL, signup_event, flush, traits, USERS_COUNTED)
    now = time.monotonic()
    for old in [name for name, (at, _) in _read.items() if now - at > SECONDS]:
        _read.pop(old, None)
    if key not in _read:
        while len(_read) >= KEPT:
            _read.pop(next(iter(_read)), None)
        _read[key] = (now, RuleFacts(signup_event, one_in=_one_in(users)))
    return _read[key][1]


def _one_in(users: int) -> int:
    """How large a sample is: an engine of our own counts one in so many users, a warehouse all of them."""
    return 1 if settings.WAREHOUSE_URL else max(1, round(users / USERS_COUNTED))
