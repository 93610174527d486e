"""One scenario of `store_faults` in a process of its own: `python -m …worlds.store_world SCENARIO FOLDER`."""

import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import django

MINUTES = 10


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.ALLOWED_HOSTS = ["*"]
    call_command("migrate", verbosity=0)
    scenario, folder, *more = sys.argv[1:]
    if scenario == "poison":
        found = poison(int(more[0]))
    elif scenario == "purchase":
        found = purchase()
    else:
        found = fault(scenario, Path(folder))
    print(json.dumps(found))


def send(*ids: str, user: str = "u", name: str = "played") -> None:
    """Through the door's own service."""
    from django.utils import timezone

    from events.models import Source
    from events.outbox.accept import accept_events

    source, _ = Source.objects.get_or_create(name="app")
    for at in range(0, len(ids), 2_500):
        events = [{"type": "track", "userId": user, "event": name, "messageId": each} for each in ids[at : at + 2_500]]
        accept_events(source_id=source.pk, key_kind="server", events=events, received_at=timezone.now())


def stored() -> Counter[str]:
    """How often each message id lies in the store's files, without the prefix."""
    import pyarrow.parquet as pq

    from events import store

    found: Counter[str] = Counter()
    for file in store.look("").files():
        found.update(
            name.split(":", 2)[-1] for name in pq.ParquetFile(file).read(["message_id"])["message_id"].to_pylist()
        )
    return found


def fault(scenario: str, folder: Path) -> dict[str, Any]:
    """Break, knock at each door, repair, flush."""
    from events.models import Flush, OutboxEvent
    from events.outbox.adopt import adopt_store
    from events.outbox.flush import flush_events

    events, aside = folder / "events", folder / "aside"
    late = [f"late{n}" for n in range(40)]
    send(*[f"a{n}" for n in range(100)])
    flush_events()
    sent, foreign = 140, Counter[str]()
    if scenario == "older":
        shutil.copytree(events, folder / "backup")
        send(*[f"b{n}" for n in range(100)])
        flush_events()
        sent = 240
    if scenario == "copy":
        send(*late)
        foreign = sealed_then_overtaken(folder)
    elif scenario == "stranger":
        OutboxEvent.objects.all().delete()
        Flush.objects.all().delete()
        send(*late)
    else:
        send(*late)
    if scenario in ("missing", "older"):
        shutil.move(events, aside)
    if scenario == "older":
        shutil.copytree(folder / "backup", events)
    if scenario == "empty":
        last = max((events / "_delta_log").glob("*.json"))
        content = last.read_bytes()
        last.write_bytes(b"")
    if scenario == "moved":
        run_elsewhere(folder)
    before = size_of(events)
    seen = knock(folder)
    written = size_of(events) - before
    waiting = OutboxEvent.objects.filter(user_id="u").count()

    if scenario in ("missing", "older"):
        shutil.rmtree(events, ignore_errors=True)
        shutil.move(aside, events)
    elif scenario == "empty":
        last.write_bytes(content)
    elif scenario in ("stranger", "copy", "moved"):
        adopt_store()
    flush_events()
    found = stored() - foreign
    return {
        **seen,
        "written": written,
        "waiting": waiting,
        "sent_late": len(late),
        "sent": sent,
        "stored": len(found),
        "once": set(found.values()) == {1},
    }


def sealed_then_overtaken(folder: Path) -> Counter[str]:
    """Production seals its batch; the copy of its database commits five events of its own under that number."""
    from django.utils import timezone

    from events import store
    from events.outbox import flush
    from events.outbox.rows import to_table

    batch, _ = flush._seal()
    if batch is None:
        raise RuntimeError("nothing was sealed")
    now = timezone.now()
    rows = to_table([("copy", "played", now, "{}", f"1:s:copy{n}", now) for n in range(5)])
    store.append(rows, app_id=batch.writer, version=batch.version)
    return Counter({f"copy{n}": 1 for n in range(5)})


def run_elsewhere(folder: Path) -> None:
    """Go on as the copy of the database: the same rows, another file."""
    from django.db import connection

    connection.close()
    copy = folder / "staging"
    copy.mkdir()
    shutil.copy(folder / "insight.sqlite3", copy / "insight.sqlite3")
    connection.settings_dict["NAME"] = str(copy / "insight.sqlite3")


def size_of(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*.parquet")) if folder.exists() else 0


def knock(folder: Path) -> dict[str, int]:
    """At each door, and at the store's probe."""
    from django.test import Client

    from events.asking import questions
    from events.importing.import_file import import_files
    from events.importing.options import ImportOptions
    from events.outbox.flush import flush_events, maintain_store
    from events.outbox.ownership import StoreRefused

    table = folder / "more.csv"
    table.write_text("user,event,time\nu,e,2026-11-01T00:00:00Z\n")

    def read() -> None:
        with questions():
            return

    doors = [flush_events, maintain_store, lambda: import_files([table], ImportOptions("user", "time", "event"))]
    doors += [read]
    refused = 0
    for door in doors:
        try:
            door()
        except StoreRefused:
            refused += 1
    return {"doors": len(doors), "refused": refused, "probe": Client().get("/healthz/parts/store").status_code}


def poison(good_a_minute: int) -> dict[str, Any]:
    """Ten minutes with one poison event and one damaged row each."""
    from django.db import connection

    from events.models import OutboxEvent, Rejected
    from events.outbox.flush import flush_events

    slowest, separators = 0.0, ("\u2028", "\u2029", "\x85")
    for minute in range(MINUTES):
        separator = separators[minute % 3]
        send(f"poison{minute}", user=f"x{separator}y" if minute % 2 else "u", name=f"n{separator}m")
        send(*[f"good{minute}-{n}" for n in range(good_a_minute)], f"damaged{minute}")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE events_outbox SET user_id = CAST(X'C328' AS TEXT) WHERE message_id LIKE %s",
                [f"%:damaged{minute}"],
            )
        begun = time.perf_counter()
        flush_events()
        slowest = max(slowest, time.perf_counter() - begun)
    found = stored()
    return {
        "good": good_a_minute * MINUTES,
        "minutes": MINUTES,
        "slowest": slowest,
        "stored_good": sum(count for name, count in found.items() if name.startswith("good")),
        "stored_poison": sum(count for name, count in found.items() if name.startswith("poison")),
        "waiting": OutboxEvent.objects.exclude(user_id="").count(),
        "rejected": Rejected.objects.count(),
    }


def purchase() -> dict[str, Any]:
    """The attack and the purchase, through the ingest door."""
    from django.test import Client

    from events.models import Source
    from events.outbox.flush import flush_events
    from insight_site.access.keys import issue_key

    source = Source.objects.create(name="shop")
    keys = {
        kind: issue_key(name=kind, source=source, kind=kind, scopes=["events:write"])[1]
        for kind in ("client", "server")
    }

    def call(kind: str, name: str) -> Any:
        event = {"type": "track", "userId": "buyer", "event": name, "messageId": "order-10042"}
        body = json.dumps({"batch": [event], "writeKey": keys[kind]})
        return Client().post("/v1/batch", body, content_type="application/json").json()

    call("client", "nothing")
    first, again = call("server", "purchase"), call("server", "purchase")
    flush_events()
    return {"accepted": first["accepted"], "repeats": again["duplicates"], "stored": stored()["order-10042"] - 1}


if __name__ == "__main__":
    main()
