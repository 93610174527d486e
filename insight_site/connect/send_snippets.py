"""What a developer copies to send a first event, by language, with address and key filled in. Pure."""

from dataclasses import dataclass
from string import Template
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Snippet:
    """One way to send an event.

    Attributes:
        slug: its id on the page.
        title: the language or library.
        text: what is copied.
        browser: whether it runs in a browser, where a secret key must never be.
    """

    slug: str
    title: Any
    text: str
    browser: bool = False


CURL = """\
curl -u '$key:' -H 'Content-Type: application/json' \\
  -d '{"userId": "user-1", "event": "signup", "properties": {"platform": "web"}}' \\
  $host/v1/track
"""
PYTHON = """\
import requests

requests.post(
    "$host/v1/track",
    auth=("$key", ""),
    json={"userId": "user-1", "event": "signup", "properties": {"platform": "web"}},
    timeout=5,
).raise_for_status()
"""
BROWSER = """\
fetch("$host/v1/track", {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: "Basic " + btoa("$key:") },
  body: JSON.stringify({ userId: "user-1", event: "signup", properties: { platform: "web" } }),
});
"""
NODE = """\
// npm install @segment/analytics-node
import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ writeKey: "$key", host: "$host" });
analytics.track({ userId: "user-1", event: "signup", properties: { platform: "web" } });
await analytics.closeAndFlush();
"""
BATCH = """\
curl -H 'Content-Type: application/json' -d '{
  "writeKey": "$key",
  "batch": [
    {"type": "identify", "userId": "user-1", "traits": {"platform": "web"}},
    {"type": "track", "userId": "user-1", "event": "signup", "messageId": "signup-user-1"}
  ]
}' $host/v1/batch
"""


def snippets(host: str, key: str, *, public: bool) -> tuple[Snippet, ...]:
    """All snippets that this kind of key may stand in, the simplest first.

    Args:
        host: scheme and name of this site, without a last slash.
        key: the key, or what stands for it where it is not known any more.
        public: a client key: it may stand in a page that anybody can read.
    """
    rows = [
        Snippet("curl", "curl", CURL),
        Snippet("browser", _("JavaScript in a browser"), BROWSER, browser=True),
        Snippet("python", "Python", PYTHON),
        Snippet("node", "Node (analytics-node)", NODE),
        Snippet("batch", _("Several events in one call"), BATCH),
    ]
    kept = [row for row in rows if public or not row.browser]
    return tuple(
        Snippet(row.slug, row.title, Template(row.text).substitute(host=host, key=key), row.browser) for row in kept
    )
