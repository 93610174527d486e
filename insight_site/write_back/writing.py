"""Write results into the place of RESULTS_URL: all of them, or those of one result. Writing again changes nothing."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import batched, chain
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import structlog
from django.conf import settings
from django.utils import timezone

from events.store import object_store
from events.store import place as event_place
from events.store.result_tables import ResultLake, ResultTable
from events.warehouse.result_tables import ResultDatabase, result_database
from experiments.models import Analysis, Experiment
from insight_site.write_back import rows
from insight_site.write_back.rows import ExperimentRows, Row
from insight_site.write_back.tables import EFFECTS, MAP, MEMBERSHIPS, VERDICTS
from runs.refusals import Refused

BATCH = 20_000
log = structlog.get_logger()

type Place = ResultLake | ResultDatabase
type Counts = dict[str, int]


@contextmanager
def _opened() -> Iterator[Place]:
    """The place of RESULTS_URL.

    Raises:
        Refused: it isn't set, lies inside the event store, is of another kind, or can't be opened.
    """
    address = str(settings.RESULTS_URL).rstrip("/")
    if not address:
        raise Refused("RESULTS_URL in the settings names no place for results.")
    if urlsplit(address).scheme not in ("", "file", "s3"):
        with result_database(address) as database:
            yield database
        return
    if object_store.is_remote(address):
        address = object_store.checked(address, "RESULTS_URL")
    else:
        address = str(Path(address.removeprefix("file://")).resolve())
    events = event_place.url().rstrip("/") if object_store.is_remote(address) else str(event_place.local_folder())
    if f"{address}/".startswith(f"{events}/"):
        raise Refused("RESULTS_URL lies inside EVENTS_URL, where only events may lie.")
    yield ResultLake(address)


def write_all() -> Counts:
    """Write every result, in the place of all that was there; returns the number of rows by table.

    Raises:
        Refused: as `_opened`, or a table of the place has other columns.
        OSError: the place can't be reached.
    """
    now = timezone.now()
    experiments = Experiment.objects.select_related("moment").order_by("key")
    # In this order: whoever sees a verdict finds its effects. Nothing is computed before it is written.
    made: dict[ResultTable, Iterable[Row]] = {
        EFFECTS: chain.from_iterable(ExperimentRows(row, now).effects() for row in experiments.iterator()),
        MEMBERSHIPS: chain.from_iterable(rows.memberships(row, now) for row in rows.current_versions()),
        MAP: rows.map_rows(now),
        VERDICTS: chain.from_iterable(ExperimentRows(row, now).verdicts() for row in experiments.iterator()),
    }
    with _opened() as place:
        counts = {table.name: _replace(place, table, None, some) for table, some in made.items()}
        for table in made:
            place.tidy(table)
    log.info("results.written", **counts)
    return counts


def write_experiment(key: str) -> Counts:
    """Write the verdict and the effects of one experiment, in the place of those that were there.

    Raises:
        Refused: there is no such experiment, or as `write_all`.
    """
    experiment = Experiment.objects.select_related("moment").filter(key=key).first()
    if experiment is None:
        raise Refused("There is no experiment {key}.", key=key)
    found = ExperimentRows(experiment, timezone.now())
    with _opened() as place:
        return {
            EFFECTS.name: _replace(place, EFFECTS, key, found.effects()),
            VERDICTS.name: _replace(place, VERDICTS, key, found.verdicts()),
        }


def write_segments(model: str) -> Counts:
    """Write the members of the current version of one segment model, in the place of those that were there.

    Raises:
        Refused: there is no such model with members, or as `write_all`.
    """
    now, versions = timezone.now(), rows.current_versions(model)
    if not versions:
        raise Refused("There is no segment model {key} with members.", key=model)
    with _opened() as place:
        count = _replace(place, MEMBERSHIPS, model, rows.memberships(versions[0], now))
    return {MEMBERSHIPS.name: count}


def write_map() -> Counts:
    """Write the map of causes of every outcome, in the place of what was there.

    Raises:
        Refused: as `write_all`.
    """
    now = timezone.now()
    with _opened() as place:
        return {MAP.name: _replace(place, MAP, None, rows.map_rows(now))}


def write_finished(label: str, pk: int) -> Counts:
    """After a run: write what an analysis changed, the map too when it is final; nothing for other kinds of runs."""
    if not settings.RESULTS_URL or label != Analysis._meta.label:
        return {}
    analysis = Analysis.objects.light("experiment").filter(pk=pk).first()
    if analysis is None:
        return {}
    counts = write_experiment(analysis.experiment.key)
    return {**counts, **write_map()} if analysis.final else counts


def write_nightly() -> Counts:
    """Every night: write all, where RESULTS_URL names a place."""
    return write_all() if settings.RESULTS_URL else {}


def erase_users(ids: Collection[str]) -> int:
    """Remove persons from the written memberships; returns how many rows.

    Raises:
        Refused, OSError: the place can't be opened or reached; the erasure is then tried again.
    """
    if not settings.RESULTS_URL:
        return 0
    with _opened() as place:
        return place.remove_users(MEMBERSHIPS, ids)


def _replace(place: Place, table: ResultTable, value: str | None, made: Iterable[Row]) -> int:
    count = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for some in batched(made, BATCH):
            count += len(some)
            yield pa.RecordBatch.from_pylist(list(some), schema=table.schema)

    place.replace(table, value, batches())
    return count
