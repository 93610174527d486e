"""Whether events of a running experiment arrive in the event store: exposures and the moment's behaviour.

The store is queried at most once in `KEPT_SECONDS` per experiment, since a page polls. Events not flushed yet (a minute
at most) aren't counted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache

from events.counting import queries
from events.counting.unit_values import Basis
from events.metrics import parse_behaviour
from events.warehouse import connect
from events.windows import Clock, DayMode
from experiments.models import Experiment
from runs.refusals import Refused

KEPT_SECONDS = 30
log = structlog.get_logger()


@dataclass(frozen=True)
class Arrived:
    """Events of one kind since the start: number, and times of the first and the last one (None without any)."""

    events: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class FirstEvents:
    """Exposures of the experiment, and the behaviour of its AHA moment; None without a moment."""

    exposures: Arrived
    behaviour: Arrived | None


def first_events(experiment: Experiment, *, ask: bool) -> FirstEvents | None:
    """Events in the store; None while it can't be queried, or the experiment hasn't started.

    Args:
        experiment: with its moment.
        ask: query the store, which may take seconds; False uses only a cached result.
    """
    if experiment.started_at is None:
        return None
    name = f"first-events:{experiment.pk}:{experiment.version}"
    found: FirstEvents | str | None = cache.get(name)
    if found is None and not ask:
        return None
    if found is None:
        found = _asked(experiment, experiment.started_at) or "away"
        cache.set(name, found, KEPT_SECONDS)
    return None if isinstance(found, str) else found


def _asked(experiment: Experiment, since: datetime) -> FirstEvents | None:
    try:
        with connect() as warehouse:
            basis = Basis(Clock(DayMode.ROLLING, settings.TIME_ZONE), since, None, warehouse.dialect)
            exposures = queries.exposure_log(warehouse.events, experiment.key, basis)
            seen = _arrived(warehouse.run(queries.first_and_last(exposures, since)))
            if experiment.moment is None:
                return FirstEvents(seen, None)
            behaviour = [parse_behaviour(experiment.moment.behaviour)]
            acts = queries.matching(warehouse.events, behaviour, basis)
            return FirstEvents(seen, _arrived(warehouse.run(queries.first_and_last(acts, since))))
    except Refused:
        return None
    except Exception:  # an unavailable engine must not break the page, which reports it
        log.exception("setup.events_not_asked", experiment=experiment.key)
        return None


def _arrived(frame: Any) -> Arrived:
    row = frame.iloc[0]
    count = int(row.events)
    return Arrived(count, _aware(row["first"]), _aware(row["last"])) if count else Arrived(0, None, None)


def _aware(moment: Any) -> datetime:
    found: datetime = moment.to_pydatetime()
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
