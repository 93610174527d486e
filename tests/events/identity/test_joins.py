"""What is kept of what senders say: through `accept_events`, in any order, by any key."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from events.models import IdLink, Source
from events.outbox.accept import accept_events
from events.people import identity, login_events
from events.people.identity import ids_with, roots_of, visitors_of

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 20, tzinfo=UTC)
VISITOR = "3f0c9c54-5f0e-4a4e-9c0e-7c7a3b6f1a11"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    login_events.forget()
    identity.forget()
    yield
    login_events.forget()
    identity.forget()


def login(visitor: str, user: str, hour: int = 0, **more: Any) -> dict[str, Any]:
    at = (START + timedelta(hours=hour)).isoformat()
    return {"type": "identify", "userId": user, "anonymousId": visitor, "timestamp": at, **more}


def alias(previous: str, user: str, hour: int = 0) -> dict[str, Any]:
    at = (START + timedelta(hours=hour)).isoformat()
    return {"type": "alias", "userId": user, "previousId": previous, "timestamp": at}


def send(*events: dict[str, Any], kind: str = "server", **source: bool) -> None:
    row, _ = Source.objects.get_or_create(name="app", defaults=source)
    accept_events(source_id=row.pk, key_kind=kind, events=list(events), received_at=timezone.now())


def states() -> dict[tuple[str, str], str]:
    return {(row.visitor, row.user): str(row.state) for row in IdLink.objects.all()}


def test_login__by_a_server_key__joins() -> None:
    send(login("v", "u"))

    assert states() == {("v", "u"): "holds"}
    assert roots_of(["v", "u", "w"]) == {"v": "u", "u": "u", "w": "w"}
    assert ids_with(["v"]) == ids_with(["u"]) == {"v", "u"}


@pytest.mark.parametrize(
    "event", [{"type": "track", "event": "buy"}, {"type": "page"}, {"type": "group", "groupId": "g"}]
)
def test_any_event__with_both_ids__joins(event: dict[str, Any]) -> None:
    send({**event, "userId": "u", "anonymousId": "v"})

    assert states() == {("v", "u"): "holds"}


def test_login__by_a_client_key__waits_for_a_server() -> None:
    send(login(VISITOR, "u"), kind="client")
    assert states() == {(VISITOR, "u"): "public_key"}
    assert roots_of([VISITOR]) == {VISITOR: VISITOR}

    send(login(VISITOR, "u", 1))

    assert states() == {(VISITOR, "u"): "holds"}
    assert IdLink.objects.get().at == START + timedelta(hours=1)  # the server's moment, not the one that anybody said


def test_login__by_a_client_key_of_a_source_that_trusts_them__joins_ids_that_libraries_make() -> None:
    send(login(VISITOR, "u"), login("u-123", "thief"), kind="client", trusts_logins=True)

    assert states() == {(VISITOR, "u"): "holds", ("u-123", "thief"): "public_key"}


def test_alias__by_a_client_key_that_is_trusted__joins_no_two_users() -> None:
    send({"type": "identify", "userId": VISITOR, "traits": {"plan": "pro"}}, trusts_logins=True)  # a user
    send(alias(VISITOR, "thief"), kind="client", trusts_logins=True)

    assert states() == {(VISITOR, "thief"): "known_user"}


def test_client_key__that_names_a_victim__moves_nothing_that_a_server_has_said() -> None:
    """The attacks of docs/security.md, with the switch on: a stolen visitor, and a visitor of one's own."""
    send(login(VISITOR, "victim", 5), trusts_logins=True)
    own = VISITOR.replace("3f", "4f")

    send(login(VISITOR, "thief", 1), login("victim", "thief", 1), login(own, "victim", 1), kind="client")

    assert states() == {
        (VISITOR, "victim"): "holds",
        (VISITOR, "thief"): "second_user",
        ("victim", "thief"): "public_key",
        (own, "victim"): "holds",  # as if they had sent their events with the victim's id
    }


@pytest.mark.parametrize("name", ["undefined", "null", "Anonymous", "[object Object]", "0"])
def test_login__of_a_word_that_is_no_id__joins_nobody(name: str) -> None:
    send(login(name, "u"), login("v", name))

    assert states() == {}


def test_alias__of_oneself__says_nothing() -> None:
    send(alias("u", "u"), login("u", "u"))

    assert states() == {}


def test_repeats__of_the_same_event__change_nothing() -> None:
    send(login("v", "u", messageId="m1"))
    before = list(IdLink.objects.values())
    login_events.forget()

    send(login("v", "u", messageId="m1"), login("v", "u", 3))

    assert list(IdLink.objects.values()) == before


STORY: Sequence[tuple[dict[str, Any], ...]] = (
    (login("v", "u", 1),),
    (login("v", "w", 2),),
    (login("x", "w", 3), alias("w", "z", 4)),
    (alias("z", "w", 5),),
    (login("u", "z", 0),),
)


@pytest.mark.parametrize("order", list(permutations(range(5))), ids=str)
def test_decision__in_any_order_of_arrival__is_the_same(order: tuple[int, ...]) -> None:
    for place in order:
        send(*STORY[place])

    assert states() == {
        ("v", "u"): "holds",  # the first login on a shared device
        ("v", "w"): "second_user",
        ("x", "w"): "holds",
        ("w", "z"): "holds",  # two users, by a server's alias
        ("z", "w"): "cycle",
        ("u", "z"): "known_user",  # u is a user, and this is no alias
    }
    assert roots_of("vuxwz") == {"v": "u", "u": "u", "x": "z", "w": "z", "z": "z"}
    assert visitors_of(["z", "u", "x"]) == {"z": {"w", "x"}, "u": {"v"}}


def test_erased__who_is_named_again__is_not_kept() -> None:
    from events.people import tombstones

    tombstones.remember(["v"])

    send(login("v", "u"))

    assert states() == {}


def test_flood__of_a_client_key__fills_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "UNBELIEVED_AN_HOUR", 3)

    send(*(login(f"v{n}", f"u{n}") for n in range(5)), kind="client")
    send(login("v9", "u9"), kind="client")
    send(login("v9", "u9"))

    assert sorted(states().values()) == ["holds", "public_key", "public_key", "public_key"]
