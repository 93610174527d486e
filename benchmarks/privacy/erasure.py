"""Erase persons whose ids stand in every place that keeps them, and look for their bytes afterwards.

    .venv/bin/python benchmarks/privacy/erasure.py --events 1000000 --persons 1000
    .venv/bin/python benchmarks/privacy/erasure.py --events 1000000 --persons 1 --database postgres://postgres@127.0.0.1/x

Makes a site of its own in a folder (PostgreSQL: in an empty database, which stays), fills it, counts the files that
hold an id, erases, and counts again: database file and its log, store with `_delta_log`, uploads, what Explore keeps,
what was compiled; on PostgreSQL a dump, since the data files are the server's. Exit status 1 when a trace is left.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.frame import in_django, options_of

MARK = "gone-person-"  # every id that is to be erased begins so, and nothing else
START = datetime(2026, 9, 1, tzinfo=UTC)
BATCH = 250_000
DAYS = 30


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False, events=1_000_000, users=20_000, persons=1_000)
    parser.add_argument("--database", default="", help="address of an empty PostgreSQL database; default SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="insight-erasure-") as name:
        figures = _measure(Path(name), options)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if figures["traces_after"] else 0)


def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    places: dict[str, Any] = {
        "UPLOADS_DIR": f"{folder}/uploads",
        "COMPILED_DIR": f"{folder}/compiled",
        "LOG_LEVEL": "WARNING",
    }
    in_django(folder, **places, **({"DATABASE_URL": options.database} if options.database else {}))
    from insight_site.privacy import erasure, erasure_requests

    persons = [f"{MARK}{number:05d}" for number in range(options.persons)]
    begun = time.perf_counter()
    fill_store(persons, users=options.users, events=options.events)
    fill_rows(persons)
    prepare()
    filled = time.perf_counter() - begun
    before = traces(folder, options.database)
    begun = time.perf_counter()
    row = erasure.perform_erasure(erasure_requests.request_erasure(ids=persons, later=False).pk)
    seconds = time.perf_counter() - begun
    after = traces(folder, options.database)
    return {
        "events": options.events,
        "persons": options.persons,
        "seconds_to_fill": round(filled, 1),
        "seconds_to_erase": round(seconds, 2),
        "seconds_waited_for_doors": erasure.DOORS_SECONDS,
        "milliseconds_a_person": round(1000 * seconds / options.persons, 1),
        "traces_before": sum(before.values()),
        "files_with_traces_before": len(before),
        "traces_after": sum(after.values()),
        "files_with_traces_after": sorted(after),
        "erased": {} if row is None else row.counts,
        "notes": [] if row is None else row.notes,
    }


def fill_store(persons: Sequence[str], *, users: int, events: int) -> None:
    """Events of users, some of them the persons, in batches of the outbox's kind; some mention a person."""
    import numpy as np
    import pyarrow as pa

    from events.models import Flush
    from events.store import event_table, ownership

    people = np.array([*persons, *(f"user-{number:07d}" for number in range(users - len(persons)))])
    rng = np.random.default_rng(1)
    writer = "benchmark"
    for version, begin in enumerate(range(0, events, BATCH), start=1):
        count = min(BATCH, events - begin)
        who = rng.integers(len(people), size=count)
        moments = rng.integers(DAYS * 86_400, size=count)
        stamps = pa.array(((moments + int(START.timestamp())) * 1_000_000).tolist(), pa.timestamp("us", tz="UTC"))
        said = [
            json.dumps({"invited": persons[int(at) % len(persons)], "n": int(at)})
            if at % 50 == 0
            else '{"screen":"home"}'
            for at in moments
        ]
        columns = {"user_id": people[who].tolist(), "event": [f"event_{at % 7}" for at in moments.tolist()]}
        columns |= {"time": stamps, "properties": said, "received_at": stamps}
        rows = pa.table(columns | {"message_id": [f"1:s:{begin + place}" for place in range(count)]})
        event_table.append(rows, app_id=writer, version=version, owner=ownership.owner_mark(writer))
        Flush.objects.create(version=version, writer=writer, rows=count, committed_at=START)
    event_table.compact()


def fill_rows(persons: Sequence[str]) -> None:
    """The persons' ids in every table that may hold them, in waiting events and in an uploaded file."""
    _experiment_rows(persons)
    _segment_rows(persons)
    _site_rows(persons[0])
    _events_and_files(persons)


def _experiment_rows(persons: Sequence[str]) -> None:
    from django.utils import timezone

    from experiments import models

    now, first = timezone.now(), persons[0]
    experiment = models.Experiment.objects.create(key="exp", flag_key="exp", name="exp", nudge=f"as {first} asked")
    experiment.nudge = "nothing of it"  # what stood there before is in the history
    experiment.save()
    arm = models.Variant.objects.create(experiment=experiment, position=0, key="control", weight=10_000)
    theirs = [{"unit": name, "experiment": experiment, "variant": arm} for name in persons]
    models.Assignment.objects.bulk_create([models.Assignment(**one, bucket=1, assigned_at=now) for one in theirs])
    models.Override.objects.bulk_create([models.Override(**one) for one in theirs])
    changes = {"unit": [first, None]}
    models.Amendment.objects.create(experiment=experiment, at=now, why=f"{first} wrote", changes=changes)
    models.PlanComment.objects.create(experiment=experiment, section="plan", text=f"ask {first}, please")
    endpoint = models.WebhookEndpoint.objects.create(name="e", url="https://example.org/x", secret="s")
    body = json.dumps({"unit": first})
    models.WebhookDelivery.objects.create(endpoint=endpoint, message_id="m1", type="x", body=body)


def _segment_rows(persons: Sequence[str]) -> None:
    from django.utils import timezone

    from segments.models import Membership, Segment, SegmentModel, SegmentVersion

    model = SegmentModel.objects.create(key="m", name="m", kind="rule")
    rule = {"all": [{"trait": "id", "is": persons[0]}]}
    version = SegmentVersion.objects.create(model=model, number=1, refreshed_at=timezone.now(), rule=rule)
    segment = Segment.objects.create(version=version, key="s", name="s")
    Membership.objects.bulk_create([Membership(version=version, unit=name, segment=segment) for name in persons])


def _site_rows(first: str) -> None:
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth.models import User
    from django.contrib.contenttypes.models import ContentType
    from django.utils import timezone

    from experiments.models import Override
    from insight_site.models import IdempotentCall, Picture
    from runs.models import Job

    answer = json.dumps({"unit": first}).encode()
    IdempotentCall.objects.create(name="n", body_hash="h", created_at=timezone.now(), content=answer)
    picture = {"run_label": "aha.Study", "run_pk": 1, "language": "en", "slug": "s", "label": "l", "marks": 1}
    Picture.objects.create(**picture, spec={"u": first}, content=f"<svg><text>{first}</text></svg>".encode())
    Job.objects.create(task="runs.tasks.forget_old_jobs", queue="quick", arguments=[first], error=f"no {first}")
    LogEntry.objects.create(
        user=User.objects.create(username="somebody"),
        content_type=ContentType.objects.get_for_model(Override),
        object_id="1",
        object_repr=f"{first} → 1",
        action_flag=1,
        change_message=f'[{{"added": {{"name": "{first}"}}}}]',
    )


def _events_and_files(persons: Sequence[str]) -> None:
    from django.utils import timezone

    from events.importing import uploads
    from events.models import CatalogueSnapshot, FileImport, Rejected, Source, UnitTraits
    from events.outbox import accept

    now, first = timezone.now(), persons[0]
    source = Source.objects.create(name="app")
    UnitTraits.objects.create(user_id="user-0000001", traits={"friend": first, "likes": [first]})
    CatalogueSnapshot.objects.create(made_at=now, payload={"examples": [first]})
    FileImport.objects.create(name="f", status="done", payload={"examples": [{"value": first}]})
    cut = f'{{"userId": "{first}", "x'
    Rejected.objects.create(source=source, received_at=now, code="bad_text", message="m", payload=cut)
    said = [
        {"type": "identify", "userId": name, "traits": {"plan": "pro"}, "messageId": f"t-{name}"} for name in persons
    ]
    for begin in range(0, len(said), 500):
        accept.accept_events(source_id=source.pk, key_kind="server", events=said[begin : begin + 500], received_at=now)
    for text in (f"user,time\n{first},2026-01-01\n", "user,time\nother,2026-01-01\n"):
        upload = uploads.begin_upload(name="rows.csv", size=len(text), by=None)
        (uploads.folder_of(upload) / uploads.INCOMING).write_text(text)
        uploads.finish_upload(upload)


def prepare() -> None:
    """What Explore keeps of the store."""
    from events.warehouse.explore_session import Stop, prepared

    with prepared(day_mode="rolling", stop=Stop(), progress=lambda _stage, _share: None) as asked:
        asked.people("*")


SMALLEST = 12  # bytes of a Parquet file: two marks and the length of its footer


def traces(folder: Path, database: str = "", mark: str = MARK) -> dict[str, int]:
    """How often the mark stands in each file below a folder, and in a dump of the database; none of none."""
    found = {name: data.count(mark.encode()) for name, data in _contents(folder, database)}
    return {name: count for name, count in found.items() if count}


def _contents(folder: Path, database: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield str(path.relative_to(folder)), content
            # A file whose writer was killed has no footer yet, or nothing but the mark with which it begins.
            if path.suffix == ".parquet" and content.endswith(b"PAR1") and len(content) > SMALLEST:
                yield f"{path.relative_to(folder)} unpacked", _unpacked(path)
    if database:
        done = subprocess.run(
            ["pg_dump", "--dbname", database.replace("postgres://", "postgresql://")], capture_output=True, check=True
        )
        yield "pg_dump", done.stdout


def _unpacked(path: Path) -> bytes:
    """The values of a Parquet file, which are packed on the disk."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return b"".join(str(batch.to_pylist()).encode() for batch in file.iter_batches())


if __name__ == "__main__":
    main()
