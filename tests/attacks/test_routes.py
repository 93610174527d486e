"""Route × caller → answer: everybody at every door, held against a table. A route without a line fails.

The table is `answers.txt`, a line for each method that a route has: all others answer 405, to the superuser too. When
a test shows lines that differ, read each: is that what the caller should get? Then put it into the table, or let
`WRITE_ANSWERS=1` write what it is, for `git diff` to show.

The columns of a route are the statuses that people get (`login`: they are sent there); then which keys of a single
scope get something else than 403 (`*`: a key without any scope too); then what the superuser gets where one argument of
the address names nothing, for each argument. The columns of a machine door are in `DOORS_ASKED_BY`.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection, transaction
from django.template.base import Template
from django.test import Client
from django.utils.safestring import SafeString

from insight_site.machine.doors import DOORS as DOOR_TABLE
from tests.attacks import routes

TABLE = Path(__file__).with_name("answers.txt")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
COLUMNS = (*routes.PEOPLE, "keys", "unknown")
DOORS_ASKED_BY = ("nobody", "superuser", *routes.KEYS, "keys")
HEAD = f"# route, method: {', '.join(COLUMNS)}\n# door, method: {', '.join(DOORS_ASKED_BY)}\n"
AT = {name: place for place, name in enumerate(COLUMNS)}
BETWEEN = routes.PEOPLE[2:-1]  # Analyst to Admin
NONE, LOGIN = "-", "login"
WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', re.IGNORECASE)
OF_ANY_CALL = {
    "django_session",
    "usersessions_usersession",
    "insight_site_lease",
    "insight_site_apikey",
    "insight_site_signin",
}
REFUSED = (401, 403, 404, 405)
pytestmark = [pytest.mark.once, pytest.mark.django_db]


def read_answers() -> dict[str, list[str]]:
    """The table: what everybody gets, by route and method."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return {" ".join(line[:2]): line[2:] for line in lines}


def write_answers(rows: dict[str, list[str]]) -> None:
    doors_first = sorted(rows.items(), key=lambda item: not item[0].startswith("/"))
    TABLE.write_text(HEAD + "".join(f"{' '.join([name, *row])}\n" for name, row in doors_first))


def asked(client: Client, method: str, address: str, **headers: str) -> str:
    """The status, with the tables that were written by a call that is refused; whatever it wrote is undone."""
    session, written = SimpleCookie(client.cookies.output(header="")), set()  # a call may log out

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if (write := WRITE.match(sql)) and write[1] not in OF_ANY_CALL:
            written.add(write[1])
        return execute(sql, *rest)

    with transaction.atomic(), connection.execute_wrapper(note):
        body = b"{}" if method != "GET" else b""
        answer = client.generic(method, address, body, content_type="application/json", headers=headers)
        answer.getvalue()  # what is sent while it is read
        transaction.set_rollback(True)
    client.cookies = session
    if answer.status_code == 302 and answer["Location"].startswith(("/login/", "/admin/login/")):
        return LOGIN
    return f"{answer.status_code}{'!'.join(['', *sorted(written)]) if answer.status_code in REFUSED else ''}"


def asked_with_keys(client: Client, keys: dict[str, str], method: str, address: str) -> str:
    """Which keys get something else than 403; an unknown one gets 401."""
    unknown = {"unknown": "ak_" + 43 * "x"}
    given = {
        name: asked(client, method, address.format(key=key), **_bearer(address, key))
        for name, key in (keys | unknown).items()
    }
    let_in = {name: status for name, status in given.items() if status != ("401" if name == "unknown" else "403")}
    if "" in let_in and set(let_in) == set(keys) and len(set(let_in.values())) == 1:
        return f"*={let_in['']}"
    return ",".join(f"{name or '*'}={status}" for name, status in let_in.items()) or NONE


def _bearer(address: str, key: str) -> dict[str, str]:
    return {} if "{key}" in address else {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Site:
    """The routes, and who asks."""

    routes: dict[str, routes.Route]
    people: dict[str, Client]
    keys: dict[str, str]


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[Site]:
    """Made once for the tests of this module; people and keys first, whose rows have pages too."""
    request.getfixturevalue("django_db_setup")
    with django_db_blocker.unblock(), transaction.atomic():
        routes.make_site()
        people, keys = routes.clients(), routes.all_keys()
        yield Site({route.name: route for route in routes.all_routes()}, people, keys)
        transaction.set_rollback(True)


def methods_of(route: routes.Route) -> tuple[str, ...]:
    """Pages are for browsers, which know two."""
    return METHODS if route.takes_keys else METHODS[:2]


def column(name: str, site: Site) -> Callable[[str, routes.Route], str]:
    """What a caller gets from a route by one method."""
    if name == "keys":
        keys, nobody = routes.single_keys("admin"), site.people["nobody"]
        return lambda method, route: asked_with_keys(nobody, keys, method, route.address) if route.takes_keys else NONE
    if name == "unknown":
        superuser = site.people["superuser"]
        return lambda method, route: ",".join(asked(superuser, method, at) for at in route.unknown) or NONE
    return lambda method, route: asked(site.people[name], method, route.address)


def differing(columns: tuple[str, ...], found: dict[str, list[str]], at: int) -> list[str]:
    """Lines of the table that aren't as found from this column on; first they are written, where that is wanted."""
    table = read_answers()
    if os.environ.get("WRITE_ANSWERS"):
        blank = [NONE] * len(columns)
        for name, row in found.items():
            table[name] = [*table.get(name, blank)[:at], *row, *table.get(name, blank)[at + len(row) :]]
        write_answers(table)
    held = {name: table.get(name, [])[at : at + len(row)] for name, row in found.items()}
    return [
        f"{name} {columns[at]}: {' '.join(row)}, the table has {' '.join(held[name]) or 'no such line'}"
        for name, row in found.items()
        if held[name] != row
    ]


@pytest.fixture
def _pages_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands on a page takes half of the time: `test_page_sizes` renders all of them, as the superuser."""
    monkeypatch.setattr(Template, "render", lambda *_: SafeString("<html></html>"))
    monkeypatch.setattr(type(admin.site), "each_context", lambda *_: {})


@pytest.mark.usefixtures("_pages_unread")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in routes.PEOPLE[2:])) for name in COLUMNS]
)
def test_routes__asked_by_everybody__answer_as_the_table_says(name: str, site: Site) -> None:
    ask = column(name, site)
    table = {line: row for line, row in read_answers().items() if not line.startswith("/")}
    if name == "superuser":  # who shows which methods a route has
        every = {
            f"{route.name} {method}": ask(method, route)
            for route in site.routes.values()
            for method in methods_of(route)
        }
        found = {line: status for line, status in every.items() if status != "405"}
    else:
        found = {
            line: row[AT["superuser"]] if name in BETWEEN and needs_no_role(row) else ask(method, site.routes[route])
            for line, row in table.items()
            for route, method in [line.split()]
            if route in site.routes
        }

    other = differing(COLUMNS, {line: [status] for line, status in found.items()}, AT[name])
    assert not other, "\n".join(other)
    assert [line for line in table if line not in found] == []
    assert [route for route in site.routes if not any(line.split()[0] == route for line in table)] == []
    assert [f"{line}: {status}" for line, status in found.items() if "500" in status] == []


def needs_no_role(row: list[str]) -> bool:
    """Who has no role gets what the superuser gets, and so does whoever may do something in between."""
    return row[AT["no role"]] == row[AT["superuser"]]


def test_doors__asked_with_every_key__answer_as_the_table_says(site: Site) -> None:
    outside, method_of = "203.0.113.9", routes.DOORS
    anybody, superuser = Client(REMOTE_ADDR=outside), Client(REMOTE_ADDR=outside)
    superuser.cookies = site.people["superuser"].cookies
    single = {kind: routes.single_keys(kind) for kind in ("client", "admin")}

    def row(door: str, method: str) -> list[str]:
        people = [asked(client, method, door.format(key="pk_x")) for client in (anybody, superuser)]
        held = [asked(anybody, method, door.format(key=key), **_bearer(door, key)) for key in site.keys.values()]
        kind = "client" if "{key}" in door else "admin"
        return [*people, *held, asked_with_keys(anybody, single[kind], method, door)]

    found = {f"{door} {method}": row(door, method) for door, method in method_of.items()}
    others = {
        f"{door} {method}": asked(
            anybody, method, door.format(key=site.keys["client"]), **_bearer(door, site.keys["admin"])
        )
        for door in method_of
        for method in METHODS
        if method != method_of[door]
    }

    other = differing(DOORS_ASKED_BY, found, 0)
    assert not other, "\n".join(other)
    assert [line for line in read_answers() if line.startswith("/") and line not in found] == []
    assert {line: status for line, status in others.items() if status != "405"} == {}


def test_doors__of_the_dispatcher__are_all_asked() -> None:
    paths = [address.format(key="pk_x") for address in routes.DOORS]

    assert [door.path.pattern for door in DOOR_TABLE if not any(door.path.fullmatch(path) for path in paths)] == []
