"""Anonymous visits, logins on two devices and shared devices, as a log that one can count on fingers."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from events.models import Source
from insight_site.access import keys

DAY = datetime.combine(timezone.now().date() - timedelta(days=10), datetime.min.time(), UTC)

# hour, then what a sender says: the visitor's id, the user's, the event. None: that id isn't sent.
VISITS: list[tuple[int, str | None, str | None, str]] = [
    # Ann, at first on her phone, then on her laptop: p and l are hers.
    (1, "p", None, "visit"),
    (2, "p", None, "visit"),
    (3, "p", "ann", "login"),
    (4, None, "ann", "buy"),
    (1, "l", None, "visit"),
    (5, "l", "ann", "open"),  # no login event: any event with both ids says it
    (6, "l", None, "visit"),  # logged out, on her laptop
    # A shared device: s belongs to Bob, who logged in first; what Cho does with her id is hers.
    (1, "s", None, "visit"),
    (2, "s", "bob", "login"),
    (3, None, "bob", "buy"),
    (4, "s", "cho", "login"),
    (5, "s", "cho", "buy"),
    (6, "s", None, "visit"),
    # Nobody knows who n is.
    (1, "n", None, "visit"),
    # Another shared device, t: Eve's login arrives first, but Dan had logged in before her.
    (1, "t", None, "visit"),
    (5, "t", "eve", "login"),
    (2, "t", "dan", "login"),
]
ALIASES = [("e3", "e4", 3), ("e2", "e3", 2), ("e4", "e2", 9), ("ghost", "fay", 1), ("fay", "fay", 1)]
CHAIN = ["e2", "e3", "e4"]  # each has bought once; all count as e4, and e4 → e2 would close a circle

# By hand: events of each person by name, without aliases. 17 visits above, 3 of the chain, 1 of the ghost.
COUNTED = {
    "ann": {"visit": 4, "login": 1, "buy": 1, "open": 1},  # p: 2 + l: 2 visits
    "bob": {"visit": 2, "login": 1, "buy": 1},  # s: before his login, and after Cho's
    "cho": {"login": 1, "buy": 1},  # nothing of s
    "n": {"visit": 1},
    "dan": {"visit": 1, "login": 1},
    "eve": {"login": 1},
    "e4": {"buy": 3},
    "fay": {"visit": 1},  # the ghost's, which came after its alias
}
PERSONS = 8
IDS = 14  # ann, p, l; bob, s, cho; n; dan, t, eve; e2, e3, e4; fay and ghost make 15, and t counts with dan
JOINED = {"p": "ann", "l": "ann", "s": "bob", "t": "dan", "e2": "e4", "e3": "e4", "ghost": "fay"}


def events() -> list[dict[str, Any]]:
    """The log as senders send it, in the order above; message ids say their places."""
    found = [event(hour, visitor, user, name) for hour, visitor, user, name in VISITS]
    found += [event(1, None, name, "buy") for name in CHAIN]
    found += [
        {"type": "alias", "previousId": old, "userId": new, "timestamp": moment(hour)} for old, new, hour in ALIASES
    ]
    found.append(event(7, "ghost", None, "visit"))
    return [{**one, "messageId": f"m{place}"} for place, one in enumerate(found)]


def event(hour: int, visitor: str | None, user: str | None, name: str) -> dict[str, Any]:
    ids = {"anonymousId": visitor, "userId": user}
    return {"type": "track", "event": name, "timestamp": moment(hour), **{key: one for key, one in ids.items() if one}}


def moment(hour: int) -> str:
    return (DAY + timedelta(hours=hour)).isoformat()


def a_key(kind: str = "server", *scopes: str) -> str:
    source, _ = Source.objects.get_or_create(name="app")
    return keys.issue_key(name="k", source=source, kind=kind, scopes=list(scopes) or ["events:write"])[1]


def post(path: str, body: Any, key: str) -> Any:
    headers = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
    if not path.startswith("/v1"):
        headers = {"X-API-Key": key}
    answer = Client().post(path, json.dumps(body), content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    return answer.json()
