"""Invented ids: what one visitor with the public key of a page can do to a verdict."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from benchmarks.audit_04.figure import Figure
from benchmarks.frame import ROOT, in_django
from tests.experiments.analyse.gather.forging_site import KEY, SHOWN, analysed, drawn, make_experiment, make_keys

UNITS, FEW, MANY = 20_000, 4_000, 100_000
VISITOR = "203.0.113.9"
PER_ADDRESS = 40
BATCH = 1_000


def figures(size: float = 1.0) -> list[Figure]:
    """Each attack after the others, on each site; `size` scales units and ids."""
    units, few, many = (max(int(size * number), 1_000) for number in (UNITS, FEW, MANY))
    rows = []
    for name in SITES:
        for row in site(name, units, few, many):
            same, beside = "unchanged" if row["same"] else "changed", row["beside"]
            said = f"{same} (verdict {row['verdict']}, {row['exposed']:,} units); so far {row['aside']:,} exposures"
            said += f" set aside, {beside:,} units beside" if beside else " set aside"
            rows.append(Figure(f"{row['ids']:,} {row['attack']}, {name}", "numbers unchanged", said, row["same"]))
    return rows


def site(name: str, units: int, few: int, many: int) -> Any:
    """In a process of its own, since Django's settings are those of the temporary folder."""
    with tempfile.TemporaryDirectory(prefix="insight-visitor-") as folder:
        numbers = map(str, (units, few, many))
        command = [sys.executable, "-m", "benchmarks.audit_04.visitor", folder, name, *numbers]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def moment(days_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()


def caller(key: str, address: str) -> Any:
    from django.test import Client

    return Client(headers={"Authorization": f"Bearer {key}"}, REMOTE_ADDR=address, SERVER_NAME="localhost")


def send(key: str, events: Sequence[dict[str, Any]], address: str) -> None:
    """Events with a client key from an address, in as few calls as may be."""
    client = caller(key, address)
    for some in batched(events, BATCH):
        answer = client.post("/v1/batch", json.dumps({"batch": some}), content_type="application/json")
        if answer.status_code != 200 or answer.json()["accepted"] != len(some):
            raise RuntimeError(f"the door said {answer.status_code}: {answer.content!r}")


def event(name: str, unit: str, days_ago: float, **properties: str) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": unit, "timestamp": moment(days_ago), "properties": properties}


def exposures(arms: Mapping[str, str]) -> list[dict[str, Any]]:
    """That these units met these arms, 20 days ago."""
    return [event("Experiment Viewed", unit, 20, experiment_id=KEY, variation_id=arm) for unit, arm in arms.items()]


def flush() -> None:
    from events.outbox.flush import flush_events

    flush_events()


def browsers(units: int, key: str) -> Any:
    """A site with client keys alone: everybody opens a page, meets the arm that a local SDK draws, and comes back."""
    from experiments.models import Experiment
    from experiments.plan import moves
    from experiments.plan.lifecycle import Action
    from tests.experiments.analyse.gather.forging_site import start_experiment

    start_experiment(units)
    arms = drawn([f"u{number}" for number in range(units)])
    for place, some in enumerate(batched(arms.items(), PER_ADDRESS)):
        address, people = f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}", dict(some)
        send(key, [event("page", unit, 20.1) for unit in people], address)
        back = [event("play", unit, 11) for at, unit in enumerate(people) if at % 3]
        send(key, [*exposures(people), *back], address)
    send(key, [event("page", "end", 0)], "10.255.255.255")
    moves.move(key=KEY, action=Action.STOP)
    flush()
    return Experiment.objects.get(key=KEY)


def servers(units: int, _key: str) -> Any:
    """A site with a server key: it asks for everybody's arm, and our door exposes them."""
    return make_experiment(units)


@contextmanager
def running(experiment: Any) -> Iterator[None]:
    """The stopped experiment runs meanwhile, so that our door evaluates it."""
    from experiments.models import ConfigVersion, Experiment
    from experiments.serve import config

    rows = Experiment.objects.filter(pk=experiment.pk)
    rows.update(status="running", stopped_at=None)
    ConfigVersion.touch()
    config.forget()
    yield
    rows.update(status="stopped", stopped_at=experiment.stopped_at)
    ConfigVersion.touch()
    config.forget()


def say_control(key: str, _experiment: Any, ids: Sequence[str]) -> None:
    """The review's attack: invented ids that all say control."""
    send(key, exposures(dict.fromkeys(ids, "control")), VISITOR)


def open_pages_and_say_control(key: str, _experiment: Any, ids: Sequence[str]) -> None:
    """The same by who has read docs/security.md: each id sends another event before."""
    send(key, [event("page", unit, 20.1) for unit in ids], VISITOR)
    send(key, exposures(dict.fromkeys(ids, "control")), VISITOR)


def evaluate_and_expose_one_arm(key: str, experiment: Any, ids: Sequence[str]) -> None:
    """Our door says each id's arm without exposing it; then only those of control are exposed, by events."""
    with running(experiment):
        arms = evaluated(key, ids)
    send(key, exposures({unit: arm for unit, arm in arms.items() if arm == "control"}), VISITOR)


def let_our_door_expose_one_arm(key: str, experiment: Any, ids: Sequence[str]) -> None:
    """The same, and our door is made to expose those of control: a single evaluation does."""
    with running(experiment):
        chosen = [unit for unit, arm in evaluated(key, ids).items() if arm == "control"]
        client = caller(key, VISITOR)
        for unit in chosen:
            body = json.dumps({"context": {"targetingKey": unit}})
            answer = client.post(f"/ofrep/v1/evaluate/flags/{KEY}", body, content_type="application/json")
            if answer.json()["variant"] != "control":
                raise RuntimeError(str(answer.content))


def evaluated(key: str, ids: Sequence[str]) -> dict[str, str]:
    client = caller(key, VISITOR)
    found = {}
    for unit in ids:
        body = json.dumps({"context": {"targetingKey": unit}})
        answer = client.post("/ofrep/v1/evaluate/flags", body, content_type="application/json")
        found[unit] = answer.json()["flags"][0]["variant"]
    return found


SITES = {"where server keys are in use": servers, "in a site with client keys alone": browsers}
ATTACKS = {
    "ids that all say control": say_control,
    "ids that open a page and say control": open_pages_and_say_control,
    "ids that our door evaluates, one arm exposed by events": evaluate_and_expose_one_arm,
    "ids that our door evaluates, one arm exposed by it": let_our_door_expose_one_arm,
}
BATCHED = tuple(ATTACKS)[:2]  # the door for all flags takes one unit a call


def numbers(readout: Any) -> Any:
    """Verdict, split, counts and figures: what a visitor must not move. Findings that name the attempt may come."""
    from experiments.analyse.result import Opened

    rows = readout.report.outcomes[0].comparisons if isinstance(readout, Opened) else ()
    return (
        readout.verdict,
        readout.sample_ratio,
        readout.flow.exposed,
        readout.flow.mature,
        readout.flow.several_variants,
        [(row.variant, row.difference) for row in rows],
        [finding for finding in readout.health if finding.invalid],
    )


def attacked(site: str, units: int, asked: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """One site before and after each attack, each a name and a number of ids."""
    key = make_keys()[SHOWN]
    experiment = SITES[site](units, key)
    before = analysed(experiment)
    told: list[dict[str, Any]] = []
    for name, number in asked:
        ATTACKS[name](key, experiment, [f"{len(told)}-{place}" for place in range(number)])
        flush()
        after = analysed(experiment)
        told.append({"attack": name, "ids": number, "same": numbers(after) == numbers(before), **seen(after)})
    return told


def seen(readout: Any) -> dict[str, Any]:
    found = readout.flow.unverified
    return {
        "exposed": sum(readout.flow.exposed.values()),
        "verdict": str(readout.verdict.code),
        "aside": sum(row.exposures for row in readout.flow.not_admitted),
        "beside": found.units if readout.flow.apart else 0,
    }


def main(folder: str, site: str, units: int, few: int, many: int) -> None:
    """Make a site, attack it through its doors, and print what the analysis said before and after as JSON."""
    rates: Any = {
        "RATE_VISITOR": "1000000",
        "RATE_CLIENT_KEY": "1000000",
    }  # what the limit of calls takes is no part of it
    in_django(folder, **rates, VAR_DIR=folder, SECRET_KEY="only-for-this-proof" * 4, LOG_LEVEL="ERROR")
    asked = [(name, few) for name in ATTACKS] + [(name, many) for name in BATCHED]
    print(json.dumps(attacked(site, units, asked)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
