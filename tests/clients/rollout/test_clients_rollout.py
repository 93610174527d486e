"""One rollout everywhere: many units × 8 flags over segments and steps, by every published client and `assign`.

Half of the units were assigned while the experiments ran. What is expected is worked out by this file.
"""

import json
import random
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from experiments.draw.bucketing import bucket_ranges, choose, unit_hash
from tests.clients.flags import arm_edges, arms, ask, create, edges_first, evaluate, issue
from tests.clients.server import Site
from tests.clients.test_clients_growthbook import IOS, PAYS, TRAITS
from tests.clients.test_clients_web import FLAGS as BROWSER
from tests.clients.test_clients_web import other_origin
from tests.conftest import missing
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
UNITS, SEED = 10_000, 20261127
TWO, THREE = (5_000, 5_000), (3_400, 3_300, 3_300)
PAST, NOW, LATER = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "2999-01-01T00:00:00+00:00"
EVERYONE: tuple[Any, ...] = (None, None, 10_000)
# By flag: weights, audience (segment, rule, coverage), further fields, shipped arm, rows of the rollout.
PLANS: dict[str, tuple[Any, ...]] = {
    "steps": (TWO, [EVERYONE], {}, 1, [(None, [(PAST, 1_000), (NOW, 5_000), (LATER, 10_000)])]),
    "held": (THREE, [(None, None, 8_000)], {"holdout": "2026h2"}, 2, [(None, [(PAST, 2_000)])]),
    "whole": (TWO, [EVERYONE], {"holdout": "2026h2"}, 1, [(None, [(PAST, 10_000)])]),
    "slice": (TWO, [EVERYONE], {"layer": "ro", "layer_low": 0, "layer_high": 5_000}, 1, [(None, [(PAST, 3_000)])]),
    "rows": (
        THREE,
        [("ios", IOS, 5_000), ("payers", PAYS, 9_000)],
        {},
        1,
        [("ios", [(PAST, 4_000)]), (None, [(PAST, 500), (NOW, 1_000)])],
    ),
    "some": (TWO, [("payers", PAYS, 2_500), (None, None, 3_000)], {}, 0, [("payers", [(PAST, 10_000)])]),
    "soon": (TWO, [EVERYONE], {}, 1, [(None, [(LATER, 10_000)])]),
    "new": (TWO, [EVERYONE], {"enrolment": "new_units"}, 1, [(None, [(PAST, 2_500)])]),
}
SHIP = """
from datetime import datetime
from experiments.models import Rollout
from experiments.plan import moves
from experiments.plan.lifecycle import Action
from experiments.serve import shipping
for key, arm, rows in GIVEN:
    moves.move(key=key, action=Action.STOP)
    given = [{"segment": name, "steps": [{"at": datetime.fromisoformat(at), "share": share} for at, share in steps]}
             for name, steps in rows]
    shipping.ship(key=key, arm=arm, rows=given, proved=True, asked=shipping.Asked())
"""
ASSIGN = """
import json
from io import StringIO
from django.core.management import call_command
columns = []
for key in KEYS:
    told = StringIO()
    call_command("assign", key, file=FILE, stdout=told)
    columns.append([json.loads(line)["value"] for line in told.getvalue().splitlines()])
print(json.dumps(columns))
"""
COUNTS = """
import json
from events.models import OutboxEvent
from experiments.models import Assignment
own = Assignment.objects.filter(experiment__key__startswith="ro-")  # another file's experiments may run on this site
print(json.dumps([own.count(), OutboxEvent.objects.count()]))
"""


@pytest.fixture(scope="module")
def people() -> list[dict[str, Any]]:
    """Ids of several shapes, a fifth of them Hangul, with traits and what follows from them."""
    chance = random.Random(SEED)
    shapes = ("유저-{n}", "{n}", "unit-{n}@example.com", "{x:032x}", "U{n}-é")
    found = []
    for n in range(UNITS):
        platform, spent = chance.choice(["ios", "android"]), chance.randrange(20)
        member = [name for name, is_in in (("ios", platform == "ios"), ("payers", spent >= 10)) if is_in]
        unit = shapes[n % 5].format(n=n, x=chance.getrandbits(128))
        found.append({"id": unit, "segments": member, "traits": {"platform": platform, "spent": spent}})
    edges: dict[str, set[int]] = {"holdout:2026h2": {500}, "layer:ro": {0, 5_000}}
    for flag, (weights, audience, _fields, _arm, rows) in PLANS.items():
        edges[f"5eed{flag}"] = set[int]().union(*(arm_edges(row[2], weights) for row in audience))
        edges[f"5eed{flag}:rollout"] = {share for _name, steps in rows for _at, share in steps}
    return edges_first(found, edges)


def was_assigned(n: int) -> bool:
    """True for half of the units, and for half of any few that follow each other."""
    return n % 4 < 2


@pytest.fixture(scope="module")
def keys(site: Site, people: list[dict[str, Any]]) -> list[str]:
    made = []
    for flag, (weights, audience, fields, _arm, _rows) in PLANS.items():
        rows = [{"segment_key": name, "rule": rule, "coverage": part} for name, rule, part in audience]
        made.append(
            {"key": f"ro-{flag}", "seed": f"5eed{flag}", "variants": arms(*weights), "audience": rows, **fields}
        )
    create(site, *made)
    (site.folder / "traits.json").write_text(json.dumps([[one["id"], one["traits"]] for one in people]))
    site.run(TRAITS.replace("PATH", repr(str(site.folder / "traits.json"))).replace("WIPE", "False"))
    # Assigned while the experiments run.
    by_command(site, [one for n, one in enumerate(people) if was_assigned(n)])
    given = [(f"ro-{flag}", f"arm{arm}", rows) for flag, (_w, _a, _f, arm, rows) in PLANS.items()]
    site.run(SHIP.replace("GIVEN", repr(given)))
    time.sleep(2)
    return issue(site, ("client", 10_000_000, []), ("server", 10_000_000, []))


def expected(people: list[dict[str, Any]]) -> list[list[str]]:
    """Worked out here: had the arm by the experiment's draw, or is reached by the share of its row."""
    return [[_expected(flag, one) for flag in PLANS] for one in people]


def _expected(flag: str, one: dict[str, Any]) -> str:
    weights, audience, fields, arm, rows = PLANS[flag]
    unit, seed = one["id"], f"5eed{flag}"
    if "holdout" in fields and unit_hash("holdout:2026h2", unit) < 0.05:
        return "none"
    row = next((row for row in audience if row[0] in (None, *one["segments"])), None)
    inside = "layer" not in fields or unit_hash("layer:ro", unit) < fields["layer_high"] / 10_000
    if row is not None and inside and "enrolment" not in fields:
        ranges = bucket_ranges(len(weights), row[2] / 10_000, [weight / 10_000 for weight in weights])
        if choose(unit_hash(seed, unit), ranges) == arm:
            return f"arm{arm}"
    steps: list[tuple[str, int]] = next((steps for name, steps in rows if name in (None, *one["segments"])), [])
    share = max((share for at, share in steps if at != LATER), default=0)
    return f"arm{arm}" if unit_hash(f"{seed}:rollout", unit) < share / 10_000 else "none"


def by_doors(people: list[dict[str, Any]], ours: list[list[str]]) -> list[list[str]]:
    """Units of the experiment for new ones: who was assigned keeps it by its row, which a local SDK can't know."""
    rows = list(PLANS).index("new")
    drawn = [choose(unit_hash("5eednew", one["id"]), ((0, 0.5), (0.5, 1))) for one in people]
    had = {n for n, arm in enumerate(drawn) if arm == 1 and was_assigned(n)}
    return [[*v[:rows], "arm1" if n in had else v[rows], *v[rows + 1 :]] for n, v in enumerate(ours)]


def by_command(site: Site, people: list[dict[str, Any]]) -> list[list[str]]:
    """`assign` of the whole file for each flag; in one process, since each start of Django costs seconds."""
    file = site.folder / "rollout-units.txt"
    file.write_text("".join(one["id"] + "\n" for one in people), encoding="utf-8")
    code = ASSIGN.replace("FILE", repr(str(file))).replace("KEYS", repr([f"ro-{flag}" for flag in PLANS]))
    columns: list[list[str]] = site.run(code)
    return [list(unit) for unit in zip(*columns, strict=True)]


def by_ofrep(language: str, site: Site, key: str, people: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Every unit by the published client, each for another flag in turn, with its variant."""
    flags = list(PLANS)
    calls = [
        {"flag": f"ro-{flags[at % len(flags)]}", "unit": one["id"], "attributes": one["traits"]}
        for at, one in enumerate(people)
    ]
    parts = [calls[at : at + 2_500] for at in range(0, len(calls), 2_500)]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda part: evaluate(language, "ofrep", site, key, calls=part), parts)
    return [(answer["value"], answer["reason"]) for part in found for answer in part]


def by_bulk(site: Site, key: str, people: list[dict[str, Any]]) -> list[list[str]]:
    def one(person: dict[str, Any]) -> list[str]:
        context = {"targetingKey": person["id"], **person["traits"]}
        status, _, body = ask(site, key, "/ofrep/v1/evaluate/flags", {"context": context})
        assert status == 200
        found = {flag["key"]: flag["value"] for flag in body["flags"]}
        return [found[f"ro-{flag}"] for flag in PLANS]

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, people))


def differing(mine: list[Any], theirs: list[Any]) -> list[Any]:
    assert len(mine) == len(theirs)
    return [pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1]][:5]


@pytest.mark.parametrize("units", first_in_ci([200, UNITS]))
def test_rollouts__for_many_units__are_the_same_by_every_client_and_the_command(
    units: int, site: Site, keys: list[str], people: list[dict[str, Any]]
) -> None:
    by_own_draw = expected(people)
    people, by_http = people[:units], units // 5
    flags = [f"ro-{flag}" for flag in PLANS]
    attributes = [{"id": one["id"], "segments": one["segments"]} for one in people]
    kept = site.run(COUNTS)

    ours = by_own_draw[:units]
    command = by_command(site, people)
    python, tracked_python = evaluate("python", "values", site, keys[0], units=attributes, flags=flags)
    node, tracked_node = evaluate("node", "values", site, keys[0], units=attributes, flags=flags)
    ofrep = {language: by_ofrep(language, site, keys[1], people) for language in ("python", "node")}
    bulk = by_bulk(site, keys[1], people[:by_http])

    served = by_doors(people, ours)
    assert differing(served, command) == []
    assert differing(ours, python) == []
    assert differing(ours, node) == []
    assert differing(served[:by_http], bulk) == []
    turn = [values[at % len(flags)] for at, values in enumerate(served)]
    for answers in ofrep.values():
        assert differing(turn, [value for value, _reason in answers]) == []
        assert {reason for _value, reason in answers} == {"TARGETING_MATCH", "STATIC"}
    assert (tracked_python, tracked_node) == (0, 0)
    assert site.run(COUNTS) == kept
    shares = {flag: sum(unit[at] != "none" for unit in by_own_draw) / UNITS for at, flag in enumerate(PLANS)}
    assert shares["steps"] == pytest.approx(0.5 + 0.5 * 0.5, abs=0.02)
    assert shares["whole"] == pytest.approx(0.95, abs=0.01)
    assert shares["held"] == pytest.approx(0.95 * (0.264 + 0.736 * 0.2), abs=0.02)
    assert shares["slice"] == pytest.approx(0.25 + 0.75 * 0.3, abs=0.02)
    assert shares["soon"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("language", ["python", "node"])
def test_remote_evaluation__of_rollouts__agrees_and_tracks_nothing(
    language: str, site: Site, keys: list[str], people: list[dict[str, Any]]
) -> None:
    some = [one for n, one in enumerate(people[:40]) if not was_assigned(n)]
    units = [{"id": one["id"], **one["traits"]} for one in some]

    answers = evaluate(language, "remote", site, keys[0], units=units, flags=[f"ro-{flag}" for flag in PLANS])

    assert [answer["values"] for answer in answers] == expected(some)
    assert [answer["tracked"] for answer in answers] == [[]] * len(some)


WEB = """async ([url, key, flags, people]) => {
  const { OpenFeature } = await import('@openfeature/web-sdk')
  const { OFREPWebProvider } = await import('@openfeature/ofrep-web-provider')
  const provider = new OFREPWebProvider({ baseUrl: url, pollInterval: 0, cacheMode: 'disabled',
    headers: [['X-API-Key', key]] })
  await OpenFeature.setContext({ targetingKey: people[0].id, ...people[0].traits })
  await OpenFeature.setProviderAndWait(provider)
  const client = OpenFeature.getClient(), answers = []
  for (const one of people) {
    await OpenFeature.setContext({ targetingKey: one.id, ...one.traits })
    answers.push(flags.map((flag) => client.getStringValue(flag, 'code default')))
  }
  return answers
}"""


@pytest.mark.parametrize("every", first_in_ci([21, 1]))
def test_web_client__of_rollouts__agrees(every: int, site: Site, keys: list[str], people: list[dict[str, Any]]) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        missing("Chromium")
    with sync_playwright() as play, other_origin() as origin:
        browser = play.chromium.launch(executable_path=chromium, args=list(BROWSER))
        page = browser.new_page()
        page.goto(origin)
        answers = page.evaluate(WEB, [site.url, keys[0], [f"ro-{flag}" for flag in PLANS], people[::every]])
        browser.close()

    assert differing(by_doors(people, expected(people))[::every], answers) == []
    assert Counter(answer[0] for answer in answers)["arm1"] > UNITS / every / 2
