"""Verbs inside the site's Django: `python -m benchmarks.hard.inside NAME JSON`, or without arguments a line for each.

It says "begun" when Django is there, and its work begins: who kills it at a random instant counts from then on.
"""

import json
import os
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import django

RULE = {"all": [{"behaviour": "Invited", "days": 14, "at_least": 1}]}


def set_up(flag: str) -> str:
    """A key of a server, and a running experiment."""
    from django.utils import timezone

    from events.models import Source
    from experiments.plan import drafts, moves
    from experiments.plan.lifecycle import Action
    from insight_site.access.keys import issue_key

    arms = [{"key": f"arm{n}", "weight": 5_000, "value": f"arm{n}"} for n in range(2)]
    drafts.create_draft(
        key=flag,
        variants=arms,
        hypothesis="It survives.",
        primary_metrics=["window:14-20"],
        smallest_effect=0.02,
        planned_units=1_000,
        planned_end=timezone.localdate() + timedelta(days=30),
        default_value="none",
    )
    moves.move(key=flag, action=Action.START)
    source = Source.objects.create(name="hard")
    scopes = ["events:write", "assign:read"]
    return issue_key(name="hard", source=source, kind="server", scopes=scopes, rate=100_000_000)[1]


def flush() -> int:
    from events.outbox.flush import flush_events

    return flush_events()


def compaction() -> dict[str, int]:
    from events.tasks import maintain_store

    return maintain_store()


def publish() -> int:
    from segments.published.publish import publish_rule

    return publish_rule(key="hard", name="Hard", signup_event="Signed Up", rule=RULE).pk


def import_file(path: str) -> None:
    from django.core.management import call_command

    columns = {"user": "user", "event": "event", "time": "time", "message_id": "id"}
    call_command("import_events", path, json=True, stdout=sys.stderr, **columns)


def backup(folder: str) -> None:
    from django.core.management import call_command

    call_command("backup", folder, stdout=sys.stderr)


def has_backup() -> bool:
    from django.core.management import get_commands

    return "backup" in get_commands()


def migrate(*names: str) -> None:
    from django.core.management import call_command

    call_command("migrate", *names, verbosity=0)


def analysis() -> int | None:
    from experiments.analyse.analyses import request_analysis
    from experiments.models import Experiment
    from runs.refusals import Refused

    try:
        return request_analysis(experiment=Experiment.objects.get()).pk
    except Refused:
        return None


def put(task: str, *arguments: Any) -> int:
    from runs.queue.jobs import put as put_job

    return put_job(task, *arguments).pk


def poison(name: str) -> None:
    """A good row, and one that nobody can read: no door would have let it in, but a bug or a bad disk may leave it."""
    from django.db import connection, transaction
    from django.utils import timezone

    from events.models import OutboxEvent

    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:  # a flush must not see it while it is still good
        for number in range(2):
            row = {"user_id": "p", "event": "Poison", "properties": "{}", "time": now, "received_at": now}
            OutboxEvent.objects.create(message_id=f"1:server:{name}-{number}", **row)
        cursor.execute("UPDATE events_outbox SET time = 'infinity' WHERE message_id = %s", [f"1:server:{name}-1"])


def open_work() -> dict[str, int]:
    """What isn't at its end yet."""
    from events.outbox.flush import outbox_state
    from runs.kinds import all_kinds
    from runs.models import Job

    runs = sum(kind.run_class._default_manager.filter(status__in=("queued", "running")).count() for kind in all_kinds())
    jobs = Job.objects.filter(schedule="", state__in=("waiting", "running")).count()
    return {"runs": runs, "jobs": jobs, "outbox": outbox_state().rows}


def begin_tries_now() -> int:
    """What waits for its next try, five minutes at most, begins at once."""
    from runs.models import Job

    return Job.objects.filter(state="waiting").exclude(due_at=None).update(due_at=None)


def job(pk: int) -> list[Any]:
    from runs.models import Job

    found = Job.objects.get(pk=pk)
    return [found.state, found.attempts]


def testimony() -> dict[str, Any]:
    """What the site holds in the end, for the ledger to compare."""
    from events.models import Rejected
    from events.store.ownership import files_to_read
    from experiments.draw import evaluation
    from experiments.models import Analysis, Assignment
    from experiments.serve import config
    from runs.kinds import all_kinds
    from runs.models import OutcomeCount
    from segments.models import SegmentVersion

    (flag,) = config.current().flags.values()
    rows = Assignment.objects.values_list("unit", "variant__key")
    stored: dict[str, list[str]] = {}
    for unit, arm in rows.iterator():
        stored.setdefault(unit, []).append(arm)
    hashed = {}
    for unit in stored:
        arm = evaluation.draw(flag, unit, is_new=True, row=flag.rows[0]).arm
        hashed[unit] = None if arm is None else flag.arms[arm].key
    versions = [
        [version.number, version.units, version.members.count(), version.refreshed_at is not None]
        for version in SegmentVersion.objects.all()
    ]
    states = Counter(
        f"{kind.model} {status}"
        for kind in all_kinds()
        for status in kind.run_class._default_manager.values_list("status", flat=True)
    )
    return {
        "set aside": list(Rejected.objects.filter(code="not_storable").values_list("message_id", flat=True)),
        "files": files_to_read(),
        "arms": stored,
        "hashed": hashed,
        "half analyses": [row.pk for row in Analysis.objects.all() if _is_half(row)],
        "runs": states,
        "versions": versions,
        "counted": list(OutcomeCount.objects.values_list("kind", "outcome", "number")),
    }


def _is_half(row: Any) -> bool:
    """Done without a result that can be read and what lists show of it, or ended in another way with one."""
    from experiments.analyse.payload_versions import READOUT
    from experiments.analyse.result import AnalysisResult

    if row.status == "done":
        return not (isinstance(READOUT.of(row), AnalysisResult) and row.checks is not None and row.finished_at)
    return row.payload is not None or not (row.reason and row.finished_at)


VERBS = {
    verb.__name__: verb
    for verb in (
        set_up,
        *(flush, compaction, publish, import_file, backup, has_backup, migrate),
        *(analysis, put, poison, open_work, begin_tries_now, job, testimony),
    )
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    django.setup()
    print('"begun"', flush=True)
    if len(sys.argv) > 1:
        VERBS[sys.argv[1]](*json.loads(sys.argv[2]))
        return
    from django.db import DatabaseError, InterfaceError, close_old_connections, connection

    for line in sys.stdin:
        name, arguments = json.loads(line)
        close_old_connections()
        try:
            answer: Any = VERBS[name](*arguments)
        except (DatabaseError, InterfaceError) as trouble:
            connection.close()
            answer = {"trouble": repr(trouble)[:300]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
