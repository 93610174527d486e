"""Send events with a published Python client. It runs in .venv-clients: a job on stdin, errors on stdout."""

import json
import random
import sys
from typing import Any


def make_client(job: dict[str, Any], errors: list[str]) -> Any:
    """The client with its own defaults but for the address; errors are what it gives up on."""
    options: dict[str, Any] = {
        "host": job["host"],
        "on_error": lambda error, batch: errors.append(f"{error!r}: {len(batch)} events"),
        "max_queue_size": 50_000,
    }
    if job["client"] == "rudder":
        from rudderstack.analytics.client import Client as RudderClient

        return RudderClient(job["key"], **options)
    from segment.analytics.client import Client

    return Client(job["key"], gzip=job["client"] == "segment-gzip", **options)


def send_each_kind(client: Any, prefix: str) -> None:
    """One event of each type."""
    client.identify("u1", {"plan": prefix}, message_id=f"{prefix}-identify")
    client.track("u1", "invite", {"한글": "값", "n": 1}, message_id=f"{prefix}-track")
    client.page("u1", "docs", "home", {"n": 2}, message_id=f"{prefix}-page")
    client.screen("u1", "game", "lobby", {"n": 3}, message_id=f"{prefix}-screen")
    client.group("u1", "g1", {"size": 4}, message_id=f"{prefix}-group")
    client.alias("old", "u1", message_id=f"{prefix}-alias")
    client.track(None, "visit", anonymous_id="a1", message_id=f"{prefix}-anonymous")


def send_logins(client: Any, job: dict[str, Any]) -> None:
    """Visits, logins with both ids, and aliases."""
    for visitor in job["visits"]:
        client.track(None, "visit", anonymous_id=visitor)
    for visitor, user in job["logins"]:
        client.identify(user, {"plan": "pro"}, anonymous_id=visitor)
    for visitor, user in job["opens"]:
        client.track(user, "open", anonymous_id=visitor)
    for previous, user in job["aliases"]:
        client.alias(previous, user)


def main() -> None:
    """Do the job and report."""
    job = json.load(sys.stdin)
    errors: list[str] = []
    client = make_client(job, errors)
    if job.get("kinds"):
        send_each_kind(client, job["prefix"])
    if "logins" in job:
        send_logins(client, job)
    chance = random.Random(job.get("seed", 1))
    for number in range(job["count"]):
        names = [number]
        if chance.random() < job.get("repeat", 0):
            names.append(chance.randrange(number + 1))
        for name in names:
            client.track(f"u{name % 97}", "play", {"n": name}, message_id=f"{job['prefix']}-{name}")
    client.flush()
    json.dump({"errors": errors}, sys.stdout)


main()
