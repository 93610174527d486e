"""Route × caller → answer: everybody at every door, held against a table. A route without a row fails.

The table is `answers.txt`, one line for a route and a method. When a test shows lines that differ, read each: is that
what the caller should get? Then put it into the table. `WRITE_ANSWERS=1` writes all of them, for `git diff` to show.
"""

import os
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client

from insight_site.machine.doors import DOORS as DOOR_TABLE
from tests.attacks import routes

TABLE = Path(__file__).with_name("answers.txt")
HEAD = "# route and method: {people} / {keys}; - where a key is not looked at\n"


def answers() -> dict[str, str]:
    """The table: what everybody gets, by route and method."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return {" ".join(line[:2]): " ".join(line[2:]) for line in lines}


def asked(client: Client, method: str, address: str, **headers: str) -> str:
    """The status; whatever the call wrote is undone."""
    session = SimpleCookie(client.cookies.output(header=""))  # a call may log out
    with transaction.atomic():
        body = b"{}" if method == "POST" else b""
        answer = client.generic(method, address, body, content_type="application/json", headers=headers)
        answer.getvalue()  # what is sent while it is read
        transaction.set_rollback(True)
    client.cookies = session
    return str(answer.status_code)


def found_of_people() -> Iterator[tuple[str, str]]:
    people, keys = routes.clients(), routes.all_keys()
    for route in routes.all_routes():
        for method in ("GET", "POST"):
            row = [asked(client, method, route.address) for client in people.values()]
            row.append("/")
            for key in keys.values():
                looked_at = route.address.startswith("/api/") and route.name != "api_docs"
                row.append(asked(Client(), method, route.address, Authorization=f"Bearer {key}") if looked_at else "-")
            yield f"{route.name} {method}", " ".join(row)


def found_at_doors() -> Iterator[tuple[str, str]]:
    people, keys = routes.clients(), routes.all_keys()
    outside = "203.0.113.9"
    for door, method in routes.DOORS.items():
        row = [asked(Client(REMOTE_ADDR=outside), method, door.format(key="pk_x"))]
        inside = Client()
        inside.cookies = people["superuser"].cookies
        inside.defaults["REMOTE_ADDR"] = outside
        row += ["/", asked(inside, method, door.format(key="pk_x")), "/"]
        for key in keys.values():
            in_path = "{key}" in door
            given = {} if in_path else {"Authorization": f"Bearer {key}"}
            row.append(asked(Client(REMOTE_ADDR=outside), method, door.format(key=key), **given))
        yield f"{door} {method}", " ".join(row)


def different(found: dict[str, str], begins: tuple[str, ...] = ()) -> list[str]:
    """Lines that aren't in the table, and rows of it that nothing has any more."""
    table = {name: row for name, row in answers().items() if name.startswith("/") == bool(begins)}
    changed = [f"{name} {row}" for name, row in found.items() if table.get(name) != row]
    return changed + [f"{name}: no such route" for name in table if name not in found]


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.django_db
def test_routes__asked_by_everybody__answer_as_the_table_says() -> None:
    routes.make_site()
    found = dict(found_of_people())
    if os.environ.get("WRITE_ANSWERS"):
        head = HEAD.format(people=", ".join(routes.PEOPLE), keys=", ".join(routes.KEYS))
        rest = [f"{name} {row}" for name, row in answers().items() if name.startswith("/")] if TABLE.exists() else []
        TABLE.write_text(head + "\n".join([*rest, *(f"{name} {row}" for name, row in found.items())]) + "\n")

    assert different(found) == []
    assert [line for line in found.items() if " 500" in line[1] or line[1].startswith("500")] == []


@pytest.mark.slow
@pytest.mark.django_db
def test_doors__asked_with_every_key__answer_as_the_table_says() -> None:
    routes.make_site()
    found = dict(found_at_doors())
    if os.environ.get("WRITE_ANSWERS"):
        rest = [f"{name} {row}" for name, row in answers().items() if not name.startswith("/")]
        text = TABLE.read_text().splitlines()[0] + "\n"
        TABLE.write_text(text + "\n".join([*(f"{name} {row}" for name, row in found.items()), *rest]) + "\n")

    assert different(found, ("/",)) == []


def test_doors__of_the_dispatcher__are_all_asked() -> None:
    paths = [address.format(key="pk_x") for address in routes.DOORS]

    assert [door.path.pattern for door in DOOR_TABLE if not any(door.path.fullmatch(path) for path in paths)] == []
