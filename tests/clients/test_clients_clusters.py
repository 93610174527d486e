"""One draw of clusters everywhere: many units in 600 guilds by OFREP, both local SDKs, our own draw and `assign`.

OFREP answers for all of them; its published clients ask for the first 500, the one in a browser for the first 20.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from experiments.draw.bucketing import Saturation, cluster_id, within_seed
from experiments.draw.evaluation import Arm, Flag, Row, Slot, draw
from tests.clients.flags import arms, ask, create, edges_first, evaluate, issue
from tests.clients.server import ROOT, Site
from tests.clients.test_clients_web import CONTEXT, START, page  # noqa: F401 - a fixture
from tests.marks import first_in_ci

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
UNITS, CLUSTERS, BY_CLIENT, BY_BROWSER = 10_000, 600, 500, 20
IOS = {"all": [{"trait": "platform", "is": "ios"}]}
EVEN, THREE = (5_000, 5_000), (3_400, 3_300, 3_300)
SATURATIONS = ((0, 3_400), (4_000, 3_300), (8_000, 3_300))
NUDGED = 3_960  # .4 * .33 + .8 * .33, in steps
# Weights, audience (segment, rule, coverage), saturations; all but the first two have no holdout and no slice.
PLANS: dict[str, tuple[Sequence[int], list[tuple[str | None, Any, int]], Sequence[Sequence[int]]]] = {
    "whole": (EVEN, [(None, None, 8_000)], ()),
    "sliced": (THREE, [(None, None, 10_000)], ()),
    "rows": (EVEN, [("ios", IOS, 5_000), (None, None, 9_000)], ()),
    "stages": ((10_000 - NUDGED, NUDGED), [(None, None, 9_000)], SATURATIONS),
}
SEEDS = {flag: f"c1a55e5{at}" for at, flag in enumerate(PLANS)}
WIPE = """
import json
from experiments.models import Assignment
print(json.dumps(Assignment.objects.all()._raw_delete("default")))
"""


@pytest.fixture(scope="module")
def people() -> list[dict[str, Any]]:
    """Ids of several shapes in guilds of very unequal size, some with a number for an id; every fortieth has none."""
    chance = random.Random(11)
    weights = [chance.lognormvariate(0, 1) for _ in range(CLUSTERS)]
    names = [n if n % 7 == 0 else f"길드-{n}" if n % 3 else f"guild-{n:04d}" for n in range(1, CLUSTERS + 1)]
    guilds: list[Any] = [*names, *chance.choices(names, weights, k=UNITS - CLUSTERS)]
    found = []
    for n, guild in enumerate(guilds):
        platform = chance.choice(["ios", "android"])
        traits = {"platform": platform, **({} if n >= CLUSTERS and n % 40 == 39 else {"guild": guild})}
        unit = ("유저-{n}", "{n}", "unit-{n}@example.com")[n % 3].format(n=n)
        found.append({"id": unit, "segments": ["ios"] if platform == "ios" else [], "traits": traits})
    within = {within_seed(SEEDS["stages"]): {share for share, _weight in SATURATIONS}}
    return found[:CLUSTERS] + edges_first(found[CLUSTERS:], within)  # the first have each guild once


@pytest.fixture(scope="module")
def keys(site: Site) -> list[str]:
    made = []
    for flag, (weights, rows, saturations) in PLANS.items():
        fields: dict[str, Any] = {
            "key": f"cl-{flag}",
            "seed": SEEDS[flag],
            "cluster": "guild",
            "variants": arms(*weights),
        }
        fields["audience"] = [{"segment_key": name, "rule": rule, "coverage": part} for name, rule, part in rows]
        fields["saturations"] = [list(pair) for pair in saturations]
        if flag == "sliced":
            fields |= {"layer": "cl", "layer_low": 0, "layer_high": 6_000, "holdout": "2026h2"}
        made.append(fields)
    create(site, *made)
    time.sleep(2)
    return issue(site, ("client", 1_000_000, []), ("server", 1_000_000, []))


def by_our_own_draw(people: list[dict[str, Any]]) -> list[list[str]]:
    """Our own draw, told the configuration by this file and not by the site."""
    columns = []
    for flag, (weights, rows, saturations) in PLANS.items():
        own = tuple(weight / 10_000 for weight in weights)
        given = tuple(Row(name, rule, part / 10_000, own) for name, rule, part in rows)
        made = Flag(
            pk=1,
            flag=flag,
            key=flag,
            name=flag,
            version=1,
            state="running",
            default=None,
            seed=SEEDS[flag],
            arms=tuple(Arm(at, f"arm{at}", "", None) for at in range(len(own))),
            rows=given,
            layer=Slot("layer:cl", 0.0, 0.6) if flag == "sliced" else None,
            holdout=Slot("holdout:2026h2", 0.05, 1.0) if flag == "sliced" else None,
            cluster="guild",
            saturations=tuple(Saturation(share / 10_000, weight / 10_000) for share, weight in saturations),
        )
        column = []
        for one in people:
            row = next((row for row in given if row.segment is None or row.segment in one["segments"]), None)
            found = draw(made, one["id"], is_new=True, row=row, cluster=cluster_id(one["traits"].get("guild")))
            column.append("default" if found.arm is None else f"arm{found.arm}")
        columns.append(column)
    return [list(unit) for unit in zip(*columns, strict=True)]


def by_http(site: Site, key: str, people: list[dict[str, Any]]) -> list[list[str]]:
    def one(person: dict[str, Any]) -> list[str]:
        context = {"targetingKey": person["id"], **person["traits"]}
        status, _, body = ask(site, key, "/ofrep/v1/evaluate/flags", {"context": context})
        assert status == 200
        found = {flag["key"]: flag["variant"] for flag in body["flags"]}
        return [found[f"cl-{flag}"] for flag in PLANS]

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, people))


def by_client(language: str, site: Site, key: str, people: list[dict[str, Any]]) -> list[list[str]]:
    calls = [{"flag": f"cl-{flag}", "unit": one["id"], "attributes": one["traits"]} for one in people for flag in PLANS]
    answers = iter(evaluate(language, "ofrep", site, key, calls=calls))
    return [[next(answers)["variant"] for _ in PLANS] for _ in people]


def by_command(site: Site, people: list[dict[str, Any]]) -> list[list[str]]:
    """`assign` of whole files for each experiment, with clusters in the file, and no assignment yet."""
    site.run(WIPE)
    columns = []
    for flag, (_weights, rows, _saturations) in PLANS.items():
        file = site.folder / "clusters.txt"
        known = [one for one in people if "guild" in one["traits"]]
        file.write_text("".join(f"{one['id']}\t{one['traits']['guild']}\n" for one in known), encoding="utf-8")
        command = [sys.executable, "manage.py", "assign", f"cl-{flag}", "--file", str(file), "--with-cluster"]
        done = subprocess.run(command, cwd=ROOT, env=site.environment, check=True, capture_output=True)
        found = {line["unit"]: line["variant"] for line in map(json.loads, done.stdout.splitlines())}
        # The command knows no context: an audience by trait is asked for with stored traits alone.
        columns.append([found.get(one["id"], "default") if len(rows) == 1 else None for one in people])
    return [list(unit) for unit in zip(*columns, strict=True)]


@pytest.mark.parametrize("units", first_in_ci([1_500, UNITS]))
def test_all_doors__for_many_units_in_600_clusters__agree(
    units: int, site: Site, keys: list[str], people: list[dict[str, Any]]
) -> None:
    everybody, people = people, people[:units]
    flags = [f"cl-{flag}" for flag in PLANS]
    attributes = [{"id": one["id"], "segments": one["segments"], **one["traits"]} for one in people]

    ours = by_our_own_draw(everybody)
    python = evaluate("python", "growthbook", site, keys[0], units=attributes, flags=flags)
    node = evaluate("node", "growthbook", site, keys[0], units=attributes, flags=flags)
    clients = [by_client(language, site, keys[1], people[:BY_CLIENT]) for language in ("python", "node")]
    ofrep = by_http(site, keys[1], people)
    command = by_command(site, people)

    assert len({one["traits"].get("guild") for one in people} - {None}) == CLUSTERS
    assert [len(other) for other in (python, node, ofrep, command)] == [units] * 4
    for other in (python, node, *clients, ofrep):
        assert [(mine, theirs) for mine, theirs in zip(ours, other, strict=False) if mine != theirs] == []
    for mine, theirs in zip(ours, command, strict=False):
        assert [arm for arm, said in zip(mine, theirs, strict=True) if said not in (None, arm)] == []
    assert all(
        set(row) == {"default"} for row, one in zip(ours, everybody, strict=True) if "guild" not in one["traits"]
    )
    whole: dict[Any, set[str]] = {}
    for row, one in zip(ours, everybody, strict=True):
        whole.setdefault(one["traits"].get("guild"), set()).add(row[0])
    assert all(len(found) == 1 for found in whole.values())  # a guild has one arm
    stages = [
        row[3] for row, one in zip(ours, everybody, strict=True) if "guild" in one["traits"] and row[3] != "default"
    ]
    assert sum(arm == "arm1" for arm in stages) / len(stages) == pytest.approx(NUDGED / 10_000, abs=0.08)


def test_unit__that_changes_its_guild__keeps_its_frozen_arm(site: Site, keys: list[str]) -> None:
    def asked(guild: str) -> dict[str, Any]:
        body = {"context": {"targetingKey": "mover", "guild": guild}}
        answer: dict[str, Any] = ask(site, keys[1], "/ofrep/v1/evaluate/flags/cl-rows", body)[2]
        return answer

    first = next(found for n in range(50) if (found := asked(f"old-{n}"))["variant"] != "default")
    later = [asked(f"new-{n}") for n in range(20)]

    assert {one["variant"] for one in later} == {first["variant"]}
    assert {one["metadata"]["cluster"] for one in later} == {first["metadata"]["cluster"]}


def test_web_client__agrees(site: Site, keys: list[str], people: list[dict[str, Any]], page: Any) -> None:  # noqa: F811
    some, arm = people[:BY_BROWSER], list(PLANS).index("stages")
    start, context = (text.replace("'web'", "'cl-stages'") for text in (START, CONTEXT))
    page.evaluate(start, [site.url, keys[0], some[0]["id"]])

    found = [page.evaluate(context, {"targetingKey": one["id"], **one["traits"]}) for one in some]

    # In these experiments an arm's value is its name, and "none" is the default.
    assert found == [row[arm].replace("default", "none") for row in by_our_own_draw(some)]
