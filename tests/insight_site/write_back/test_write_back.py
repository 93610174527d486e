"""Results as tables in each kind of place: what stands there, what never does, and what goes."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import duckdb
import psycopg
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from django.core.management import CommandError, call_command

from experiments.analyse.result import Opened
from experiments.models import Analysis, Experiment
from insight_site.write_back import rows, tables, writing
from runs.models import Job
from runs.perform import enqueue, perform
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.conftest import missing
from tests.experiments.analyse.test_site_map import keep_lab
from tests.experiments.make_readout import RUNNING, make_readout, make_result, stored
from tests.postgres import address_of
from tests.stats.make import computed

pytestmark = pytest.mark.django_db
DOCS = Path(__file__).parents[3] / "docs" / "write_back.md"
TABLES = (tables.VERDICTS, tables.EFFECTS, tables.MEMBERSHIPS, tables.MAP)
LAKE, DUCKDB, POSTGRES = "lake", "duckdb", "postgres"


@pytest.fixture(params=[LAKE, DUCKDB, POSTGRES])
def place(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Iterator[str]:
    """The kind of an empty place that RESULTS_URL names."""
    settings.EVENTS_URL = str(tmp_path / "events")
    if request.param != POSTGRES:
        at = tmp_path / "results"
        settings.RESULTS_URL = str(at) if request.param == LAKE else f"duckdb://{at}.duckdb?schema=teams"
        yield str(request.param)
        return
    server = settings.DATABASES["default"]
    address = address_of(server if "postgresql" in server["ENGINE"] else dict.fromkeys(server), "postgres")
    try:
        connection = psycopg.connect(address, connect_timeout=2, autocommit=True)
    except psycopg.OperationalError:
        missing(f"PostgreSQL at {address}")
        raise
    schema = f"insight_results_{connection.info.backend_pid}"
    settings.RESULTS_URL = f"{address}?schema={schema}"
    with connection:
        yield POSTGRES
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def written(name: str, settings: Any) -> list[dict[str, Any]]:
    """The rows of a table as another program reads them, without the moment of writing."""
    url = urlsplit(settings.RESULTS_URL)
    schema = url.query.removeprefix("schema=")
    if not url.scheme:
        found = DeltaTable(f"{settings.RESULTS_URL}/{name}").to_pyarrow_table().to_pylist()
    elif url.scheme == DUCKDB:
        with duckdb.connect(url.path) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.execute(f"SELECT * FROM {schema}.{name}").to_arrow_table().to_pylist()
    else:
        with psycopg.connect(url._replace(query="").geturl(), row_factory=psycopg.rows.dict_row) as connection:
            found = connection.execute(f"SELECT * FROM {schema}.{name}").fetchall()
    return sorted(({k: v for k, v in row.items() if k != "written_at"} for row in found), key=repr)


def published(key: str, places: dict[str, str | None]) -> SegmentVersion:
    """A version with one segment "solo", by user either that or the reason why they have none."""
    model = SegmentModel.objects.create(key=key, name=key, kind="cluster")
    version = SegmentVersion.objects.create(model=model, number=2, refreshed_at=datetime(2026, 4, 1, tzinfo=UTC))
    segment = Segment.objects.create(version=version, key="solo")
    for unit, place in places.items():
        given = {"segment": segment} if place == "solo" else {"place": place}
        Membership.objects.create(version=version, unit=unit, **given)
    return version


def test_places__of_each_kind__hold_the_same_rows_and_writing_again_changes_nothing(place: str, settings: Any) -> None:
    analysis = stored("exp", moment=True)
    published("styles", {"u1": "solo", "it's \t u2\n": "too_little_data"})

    counts = writing.write_all()
    first = {table.name: written(table.name, settings) for table in TABLES}
    writing.write_all()

    assert {name: len(found) for name, found in first.items()} == counts
    assert first == {table.name: written(table.name, settings) for table in TABLES}
    [verdict] = first["insight_verdicts"]
    assert (verdict["experiment"], verdict["verdict"], verdict["final"]) == ("exp", analysis.verdict, True)
    assert verdict["data_until"] == datetime(2026, 3, 31, tzinfo=UTC)
    assert [(row["user_id"], row["segment"], row["reason"]) for row in first["insight_memberships"]] == [
        ("it's \t u2\n", None, "too_little_data"),
        ("u1", "styles.v2.solo", None),
    ]


def test_one_result__written_alone__replaces_its_rows_and_no_others(place: str, settings: Any) -> None:
    stored("first")
    stored("second")
    published("styles", {"u1": "solo"})
    published("modes", {"u1": "unlike_any"})
    writing.write_all()
    before = written("insight_effects", settings)
    Analysis.objects.filter(experiment__key="first").delete()
    Membership.objects.filter(version__model__key="styles").update(unit="u9")

    writing.write_experiment("first")
    writing.write_segments("styles")

    assert written("insight_effects", settings) == [row for row in before if row["experiment"] == "second"]
    assert [row["experiment"] for row in written("insight_verdicts", settings)] == ["second"]
    users = {row["segment_model"]: row["user_id"] for row in written("insight_memberships", settings)}
    assert users == {"styles": "u9", "modes": "u1"}


def test_all__what_is_no_longer_there__goes(place: str, settings: Any) -> None:
    stored("first")
    published("styles", {"u1": "solo"})
    writing.write_all()
    Analysis.objects.all().delete()
    SegmentModel.objects.update(archived_at=datetime(2026, 4, 2, tzinfo=UTC))

    counts = writing.write_all()

    assert not any(counts.values())
    assert not any(written(table.name, settings) for table in TABLES)


def test_erasure__of_a_person__leaves_no_byte_of_the_id(place: str, settings: Any, tmp_path: Path) -> None:
    published("styles", {"erased-person": "solo", "u2": "solo"})
    published("modes", {"erased-person": "unlike_any"})
    writing.write_all()
    writing.write_segments("modes")  # so that replaced files are there too

    assert writing.erase_users(["erased-person", "stranger"]) == 2

    assert [row["user_id"] for row in written("insight_memberships", settings)] == ["u2"]
    if place == LAKE:
        files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
        assert files
        assert not [path for path in files if b"erased-person" in path.read_bytes()]
    assert writing.erase_users(["erased-person"]) == 0


def test_effects__of_a_final_result__are_the_reports_numbers_with_n_interval_and_unit(
    tmp_path: Path, settings: Any
) -> None:
    settings.RESULTS_URL = str(tmp_path / "results")
    readout = make_readout()
    stored("exp", readout, moment=True)

    writing.write_experiment("exp")

    effects = written("insight_effects", settings)
    outcome = readout.report.outcomes[0]
    comparison = outcome.comparisons[0]
    arms = {"control": readout.report.design.control, "variant": comparison.variant}
    found = {row["measure"]: row for row in effects if row["outcome"] == outcome.name and row["segment"] is None}
    difference = computed(comparison.difference)
    effect = found["effect"]
    assert [effect[name] for name in ("estimate", "standard_error", "low", "high", "level", "p_value")] == [
        *(difference.estimate, difference.standard_error, difference.low, difference.high, difference.level),
        difference.p_value,
    ]
    sizes = [outcome.values[arms[name]].n for name in ("variant", "control")]
    assert [effect[name] for name in ("n_variant", "n_comparator", "n")] == [*sizes, sum(sizes)]
    assert (effect["unit"], effect["role"], effect["comparator"]) == ("share", "primary", arms["control"])
    encouragement = comparison.encouragement
    assert encouragement is not None
    behaviour, around = found["behaviour"], computed(encouragement.effect_set)
    assert (behaviour["low"], behaviour["high"], behaviour["shape"]) == (around.low, around.high, around.shape.value)
    assert behaviour["unit"] == "share_per_doer"
    assert found["take_up"]["estimate"] == computed(encouragement.take_up).difference
    assert {row["segment"] for row in effects if row["segment"]} == {row.segment for row in comparison.by_segment}
    for row in effects:  # a number, or the reason why there is none
        assert (row["estimate"] is None) == (row["reason"] is not None)
        assert row["n"] is not None
        assert row["unit"]


@pytest.mark.parametrize("peek", [False, True])
def test_locked_outcome__leaves_its_state_and_nothing_of_the_outcome(tmp_path: Path, settings: Any, peek: bool) -> None:
    """A peek may be seen by some readers only, so the latest analysis that all may see is written."""
    settings.RESULTS_URL = str(tmp_path / "results")
    locked = stored("exp", make_result(**RUNNING), moment=True)
    if peek:
        assert isinstance(make_result(peek=True, **RUNNING), Opened)
        stored("exp", make_readout(peek=True, **RUNNING))

    writing.write_all()

    [row] = written("insight_verdicts", settings)
    assert (row["analysis"], row["state"], row["verdict"], row["reason"]) == (
        *(locked.pk, "pending", None),
        "outcome_locked",
    )
    assert [row[name] for name in ("variant", "comparator", "decision", "decision_reason")] == [None] * 4
    assert written("insight_effects", settings) == []


def test_payload__that_cant_be_read__costs_its_own_numbers_alone(tmp_path: Path, settings: Any) -> None:
    settings.RESULTS_URL = str(tmp_path / "results")
    stored("good")
    stored("newer", payload={"schema": 10_000})

    writing.write_all()

    reasons = {row["experiment"]: row["reason"] for row in written("insight_verdicts", settings)}
    assert reasons["newer"] == "unreadable"
    assert {row["experiment"] for row in written("insight_effects", settings)} == {"good"}


def test_map__of_final_findings__has_a_row_a_behaviour(tmp_path: Path, settings: Any) -> None:
    settings.RESULTS_URL = str(tmp_path / "results")
    keep_lab()

    out = StringIO()
    call_command("write_results", "--map", "--json", stdout=out)

    behaviours = written("insight_map", settings)
    assert json.loads(out.getvalue()) == {"insight_map": len(behaviours)}
    found = {row["behaviour"]: row for row in behaviours}
    assert found["chat"]["state"] == "causes"
    assert found["chat"]["low"] < 0.2 < found["chat"]["high"]
    assert (found["chat"]["unit"], found["chat"]["read"], found["chat"]["level"]) == ("share_per_doer", "jointly", 0.95)
    assert found["chat"]["n"] > 0


def test_database__a_write_that_fails__leaves_what_was_there(tmp_path: Path, settings: Any) -> None:
    settings.RESULTS_URL = f"duckdb://{tmp_path / 'results.duckdb'}?schema=teams"
    stored("exp")
    writing.write_all()
    before = written("insight_effects", settings)
    Analysis.objects.all().delete()

    with patch.object(rows.ExperimentRows, "verdicts", side_effect=OSError), pytest.raises(OSError):
        writing.write_all()

    assert written("insight_effects", settings) == before != []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "names no place"),
        ("snowflake://user:secret@host/db", "DuckDB, PostgreSQL, a folder or s3://, not into snowflake"),
        ("postgres://user:secret@127.0.0.1:1/db", r"can't be opened \(OperationalError\)"),
        ("s3://Bad Bucket/x", "RESULTS_URL is a folder, or s3://"),
        ("{events}/results", "RESULTS_URL lies inside EVENTS_URL"),
    ],
)
def test_place__that_cant_be_used__is_refused_in_one_sentence(
    tmp_path: Path, settings: Any, address: str, words: str
) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    settings.RESULTS_URL = address.format(events=settings.EVENTS_URL)

    with pytest.raises(Refused, match=words) as caught:
        writing.write_all()

    assert "secret" not in str(caught.value)


def test_table__with_other_columns__is_refused_by_name(tmp_path: Path, settings: Any) -> None:
    settings.RESULTS_URL = f"duckdb://{tmp_path / 'results.duckdb'}?schema=teams"
    with duckdb.connect(str(tmp_path / "results.duckdb")) as connection:
        connection.execute("CREATE SCHEMA teams; CREATE TABLE teams.insight_map (outcome VARCHAR)")

    with pytest.raises(Refused, match=r"teams\.insight_map has no column behaviour"):
        writing.write_map()


def test_command__unknown_names__say_so(tmp_path: Path, settings: Any) -> None:
    settings.RESULTS_URL = str(tmp_path / "results")
    for option in ("--experiment", "--segment-model"):
        with pytest.raises(CommandError, match=r"There is no .* nothing") as caught:
            call_command("write_results", option, "nothing", stdout=StringIO())
        assert caught.value.returncode == 2


def test_finished_run__is_written_where_a_place_is_named(tmp_path: Path, settings: Any) -> None:
    analysis = stored("exp")
    waiting = Analysis.objects.create(experiment=Experiment.objects.get(key="exp"))
    settings.RESULTS_URL = ""
    assert writing.write_finished("experiments.Analysis", analysis.pk) == {}
    assert writing.write_nightly() == {}
    assert writing.erase_users(["u1"]) == 0

    settings.RESULTS_URL = str(tmp_path / "results")
    payload: dict[str, Any] = analysis.payload or {}
    perform(enqueue(waiting), lambda _progress: None, lambda _made: payload)

    job = Job.objects.get(task="insight_site.tasks.write_finished")
    assert list(job.arguments) == ["experiments.Analysis", waiting.pk]
    assert set(writing.write_finished(*job.arguments)) == {"insight_effects", "insight_verdicts"}
    assert set(writing.write_finished("experiments.Analysis", 10**6)) == set()
    Analysis.objects.filter(pk=waiting.pk).update(final=True)
    assert "insight_map" in writing.write_finished(*job.arguments)


def test_docs__name_each_column_of_each_table_with_its_type() -> None:
    words = {pa.string(): "text", pa.int64(): "whole number", pa.float64(): "number", pa.bool_(): "true or false"}
    words |= {pa.date32(): "date", tables.MOMENT: "moment"}
    sections = dict(part.split("`", 1) for part in DOCS.read_text().split("\n## Table `")[1:])
    for table in TABLES:
        columns = [line.split("|")[1:4] for line in sections[table.name].splitlines() if line.startswith("| `")]
        said = {name.strip().strip("`"): kind.strip() for name, kind, _unit in columns}
        assert said == {column.name: words[column.type] for column in table.schema}, table.name
