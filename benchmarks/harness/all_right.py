"""Whether what a load was told is what the site keeps: nothing lost, nothing twice, the variant that the draw
gives."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.harness.site import FLAG
from tests.clients.server import Site, stored

TRUTH = """
import json, sys
from django.conf import settings
from events import store
from events.outbox.flush import flush_events
from experiments.draw.evaluation import draw
from experiments.models import Assignment
from experiments.serve import config
flush_events()
seen = store.look("")
units = json.load(open(UNITS))
flag = config.current().flags[FLAG]
drawn = {unit: flag.arms[draw(flag, unit, is_new=True, row=flag.rows[0]).arm].key for unit in units}
rows = list(Assignment.objects.filter(unit__in=units).values_list("unit", "variant__key"))
print(json.dumps([drawn, rows, seen.files() if seen else []]))
"""


def wrong(site: Site, kind: str, log: Sequence[Sequence[Any]], events_a_batch: int) -> dict[str, int]:
    """How many answers, rows, exposures and events of a load are not as they must be, by what is wrong.

    Args:
        site: where the load went; its outbox is flushed.
        kind: "assignments" or "events": what the calls with numbers 0 and 1 of the load were.
        log: of `load.drive`.
        events_a_batch: how many events each batch had, with ids "unit-number".
    """
    asked = [row for row in log if row[3] == 0]
    drawn, rows, files = _truth(site, sorted({row[4] for row in asked}))
    events = stored(files)
    found = assignments_wrong(asked, drawn, rows, Counter(row[1] for row in events if row[2] == "Experiment Viewed"))
    if kind == "events":
        found |= events_wrong([row for row in log if row[3] == 1], Counter(row[0] for row in events), events_a_batch)
    return found


def assignments_wrong(
    asked: Sequence[Sequence[Any]], drawn: dict[str, str], rows: Sequence[Sequence[str]], exposures: Counter[str]
) -> dict[str, int]:
    """Of assignments: wrong variants; answered units without a row or exposure (lost), or with two (doubled)."""
    answered = {(row[4], json.loads(row[5])["variant"]) for row in asked if row[2] == 200}
    units, kept = {unit for unit, _ in answered}, Counter(unit for unit, _ in rows)
    stored_variant = {unit: variant for unit, variant in rows}  # noqa: C416 - rows are lists
    return {
        "wrong variants": sum(
            drawn[unit] != variant or stored_variant.get(unit) != variant for unit, variant in answered
        ),
        "lost assignments": sum(kept[unit] == 0 for unit in units),
        "doubled assignments": sum(number > 1 for number in kept.values()),
        "lost exposures": sum(exposures[unit] == 0 for unit in units),
        "doubled exposures": sum(number > 1 for number in exposures.values()),
    }


def events_wrong(sent: Sequence[Sequence[Any]], kept: Counter[str], events_a_batch: int) -> dict[str, int]:
    """Of batches: events that were accepted and aren't there (lost), and any event that is there twice (doubled)."""
    accepted = [f"{row[4]}-{number}" for row in sent if row[2] == 200 for number in range(events_a_batch)]
    possible = [f"{row[4]}-{number}" for row in sent for number in range(events_a_batch)]
    return {
        "lost events": sum(kept[name] == 0 for name in accepted),
        "doubled events": sum(kept[name] > 1 for name in possible),
    }


def _truth(site: Site, units: Sequence[str]) -> tuple[dict[str, str], list[list[str]], list[str]]:
    path = site.folder / "units.json"
    path.write_text(json.dumps(units))
    drawn, rows, files = site.run(TRUTH.replace("UNITS", repr(str(path))).replace("FLAG", repr(FLAG)))
    return drawn, rows, files
