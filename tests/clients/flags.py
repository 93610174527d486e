"""Experiments on a running site, and the published evaluation clients that ask for them."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from experiments.draw.bucketing import STEPS, bucket_ranges, unit_hash
from tests.clients.conftest import HERE, PYTHON
from tests.clients.server import Site
from tests.conftest import missing

KEYS = """
import json
from events.models import Source
from insight_site.access.keys import issue_key
source, _ = Source.objects.get_or_create(name="flags")
print(json.dumps([issue_key(name="t", source=source, kind=kind, scopes=["assign:read", "config:read"], rate=rate,
                            allowed_origins=origins)[1] for kind, rate, origins in GIVEN]))
"""
CREATE = """
import json
from datetime import timedelta
from django.utils import timezone
from aha.models import AhaMoment
from experiments.plan.lifecycle import Action
from experiments.models import Holdout, Layer
from experiments.plan import drafts, moves
from experiments.serve.overrides import set_override
for given in json.loads(GIVEN):
    actions, overrides = given.pop("actions", ["start"]), given.pop("overrides", [])
    if "moment" in given:
        claim = {"name": "adds", "behaviour": "add", "times": 2, "days": 3, "retention": "window:14-20", "evidence": {}}
        given["moment"], _ = AhaMoment.objects.get_or_create(key=given["moment"], defaults=claim)
    if "layer" in given:
        given["layer"], _ = Layer.objects.get_or_create(key=given["layer"])
    if "holdout" in given:
        rest = {"share": 500, "active": False}
        given["holdout"], _ = Holdout.objects.get_or_create(key=given["holdout"], defaults=rest)
    fields = {"hypothesis": "It helps.", "primary_metrics": ["window:14-20"], "smallest_effect": 0.02,
              "planned_units": 1000, "planned_end": timezone.localdate() + timedelta(days=30), "default_value": "none"}
    drafts.create_draft(**{**fields, **given})
    for action in actions:
        moves.move(key=given["key"], action=Action(action))
    for override in overrides:
        set_override(key=given["key"], **override)
"""


def edges_first(people: list[dict[str, Any]], edges: Mapping[str, Collection[int]]) -> list[dict[str, Any]]:
    """Those come first who draw an edge or the number below it: the first few show what all would show of edges.

    Args:
        people: with their `id`.
        edges: in steps of 0.01 %, by the seed under which units are drawn.
    """
    numbers = {seed: {number for edge in own for number in (edge - 1, edge)} for seed, own in edges.items()}

    def is_inside(one: dict[str, Any]) -> bool:
        return all(round(unit_hash(seed, one["id"]) * STEPS) not in own for seed, own in numbers.items())

    return sorted(people, key=is_inside)


def arm_edges(coverage: int, weights: Sequence[int]) -> set[int]:
    """Where the arms begin and end, in steps."""
    ranges = bucket_ranges(len(weights), coverage / STEPS, [weight / STEPS for weight in weights])
    return {round(edge * STEPS) for one in ranges for edge in one}


def issue(site: Site, *given: tuple[str, int | None, list[str]]) -> list[str]:
    """Keys that may evaluate: kind, calls a minute, allowed origins."""
    keys: list[str] = site.run(KEYS.replace("GIVEN", repr(list(given))))
    return keys


def create(site: Site, *experiments: dict[str, Any]) -> None:
    """Stored experiments by the fields of `create_draft`, with `actions` and `overrides`."""
    site.run(CREATE.replace("GIVEN", repr(json.dumps(experiments))))


def arms(*weights: int, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Variants arm0, arm1, … with weights in steps of 0.01 %; a value is the variant's own key unless given."""
    return [
        {"key": f"arm{at}", "weight": weight, "value": values[at] if values else f"arm{at}"}
        for at, weight in enumerate(weights)
    ]


def evaluate(language: str, client: str, site: Site, key: str, **job: Any) -> list[Any]:
    """What a published client answers; see evaluate.py and evaluate.mjs."""
    node = language == "node"
    if node and not (shutil.which("node") and (HERE / "node_modules" / "@growthbook").is_dir()):
        missing("the Node clients (make clients)")
    if not node and not PYTHON.exists():
        missing("the Python clients (make clients)")
    command = ["node", str(HERE / "evaluate.mjs")] if node else [str(PYTHON), str(HERE / "evaluate.py")]
    given = json.dumps({"client": client, "url": site.url, "key": key, **job}).encode()
    done = subprocess.run(command, input=given, capture_output=True, timeout=300, cwd=HERE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers: list[Any] = json.loads(done.stdout)
    return answers


def ask(site: Site, key: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    """One request as a plain client sends it: status, headers, JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    try:
        text = None if body is None else json.dumps(body).encode()
        connection.request("GET" if text is None else "POST", path, text, {"X-API-Key": key, **headers})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, dict(answer.getheaders()), json.loads(content) if content else None
    finally:
        connection.close()
