"""Send one notice to an address that a person entered, by Apprise, without becoming a way into this network.

Apprise speaks to some 140 services, and among them are local commands, files and devices. So there is a list of those
that may be used; of an address only parts that name a place in the service are taken, since others read files or turn
off the check of certificates; and while a message is sent, this thread connects to public addresses alone: the
connection itself is looked at, so neither a redirect nor a name that answers differently the second time gets by.
"""

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from experiments.webhooks.messages import is_public
from experiments.webhooks.wire import Undelivered
from runs.refusals import Refused

if TYPE_CHECKING:
    from apprise import NotifyBase

SECONDS = 25.0
# By the name that Apprise gives them in an address: all of these go by TLS.
SERVICES = {
    "slack": "Slack",
    "workflow": "Microsoft Teams",
    "workflows": "Microsoft Teams",
    "discord": "Discord",
    "gchat": "Google Chat",
    "tgram": "Telegram",
    "zulip": "Zulip",
    "wxteams": "Webex",
    "webex": "Webex",
    "mmosts": "Mattermost",
    "rockets": "Rocket.Chat",
    "matrixs": "Matrix",
    "ntfys": "ntfy",
    "mailtos": "e-mail",
    "jsons": "JSON",
    "forms": "form",
    "xmls": "XML",
}
# Without TLS: where NOTICES_TO_PRIVATE_ADDRESSES says that the network is trusted.
PLAIN = {
    "mmost": "Mattermost",
    "rocket": "Rocket.Chat",
    "matrix": "Matrix",
    "ntfy": "ntfy",
    "mailto": "e-mail",
    "json": "JSON",
    "form": "form",
    "xml": "XML",
}
# Services at a host of the person's choice; it may be shown, all else of an address may not.
OWN_HOST = frozenset({"mmosts", "rockets", "matrixs", "ntfys", "mailtos", "jsons", "forms", "xmls", "workflow", *PLAIN})
# What may stand behind the question mark. "template", "pgpkey" and "attach" read files, "verify" takes any certificate,
# "redirect" follows whoever answers.
PARAMETERS = frozenset(
    {
        "to",
        "from",
        "name",
        "cc",
        "bcc",
        "smtp",
        "user",
        "pass",
        "mode",
        "channel",
        "thread",
        "topic",
        "priority",
        "tags",
    }
    | {"key", "token", "api-version", "sp", "sv", "sig"}  # of addresses as Google and Microsoft show them
)


@dataclass(frozen=True)
class Address:
    """A place that notices may go to.

    Attributes:
        url: as it was entered: a secret.
        service: what may be shown of it, such as "Slack", or "JSON, hooks.example.com".
    """

    url: str
    service: str


def check_address(url: str) -> Address:
    """Whether notices may go there, without asking anybody.

    Raises:
        Refused: it isn't an address that Apprise knows, or not one of a service that this site speaks to. The sentence
            doesn't repeat it.
    """
    scheme = _scheme(url)
    allowed = {**SERVICES, **(PLAIN if settings.NOTICES.private else {})}
    if scheme not in allowed:
        raise Refused(
            "This site doesn't send notices to addresses that begin with “{scheme}”. It knows: {known}.",
            scheme=f"{scheme}://",
            known=", ".join(f"{one}://" for one in sorted(allowed)),
        )
    plugin = _plugin(url)
    name = allowed[scheme]
    return Address(url, f"{name}, {plugin.host}" if scheme in OWN_HOST else name)


def send(url: str, *, title: str, text: str, allows: Callable[[str], bool] = is_public) -> None:
    """Send one message, and wait at most SECONDS.

    Args:
        url: of the place; checked again, whatever was checked when it was stored.
        title: one line.
        text: the rest.
        allows: whether an IP address may be connected to; any where NOTICES_TO_PRIVATE_ADDRESSES is set.

    Raises:
        Refused: the address isn't allowed.
        Undelivered: the other side didn't take it, or not in time. It says nothing of the address.
    """
    check_address(url)
    plugin, guard = _plugin(url), _Guard((lambda _ip: True) if settings.NOTICES.private else allows)
    done: list[bool | str] = []

    def work() -> None:
        with guard:
            try:
                done.append(bool(plugin.notify(body=text, title=title)))
            except Exception as trouble:  # a library of 140 services: its class says enough, its text may hold secrets
                done.append(type(trouble).__name__)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if guard.refused:
        raise Refused("This address leads into a network that isn't public.")
    if not done:
        raise Undelivered("no answer in time")
    if done[0] is not True:
        raise Undelivered("the service did not take it" if done[0] is False else f"error: {done[0]}")


def _scheme(url: str) -> str:
    """The service's name in an address; web addresses of Slack, Discord and others are those of their services."""
    if not url.isascii() or any(sign <= " " or sign == "\x7f" for sign in url) or "://" not in url:
        raise Refused("An address has the form “service://…”, in ASCII characters and without spaces.")
    scheme = url.partition("://")[0].lower()
    if scheme == "https":
        native = _instance(url)
        return "https" if native is None else _first(native.secure_protocol)
    return scheme


def _plugin(url: str) -> "NotifyBase":
    try:
        parts = urlsplit(url)
        names = [name for name, _value in parse_qsl(parts.query, keep_blank_values=True)]
    except ValueError:
        raise Refused("This address can't be read.") from None
    wrong = next((name for name in names if name.lower() not in PARAMETERS), None)
    if wrong is not None:
        raise Refused("“{name}” may not stand in an address of notices.", name=wrong)
    found = _instance(url)
    if found is None:
        raise Refused("This address can't be read. docs/notices.md shows one for each service.")
    return found


def _instance(url: str) -> "NotifyBase | None":
    """What Apprise makes of an address; nothing is sent, and nobody is asked."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - a third of a second, which no other page needs

    _silence()
    # Nothing of a message is kept on disk, no plug-in is loaded from there, and no redirect is followed.
    asset = AppriseAsset(
        app_id="Insight", app_desc="Insight", app_url="", plugin_paths=[], storage_mode="memory", http_redirects=False
    )
    found: Any = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    return found  # type: ignore[no-any-return]


def _first(names: Any) -> str:
    return str(names if isinstance(names, str) else next(iter(names or ("",))))


def _silence() -> None:
    """Apprise and urllib3 write addresses with their secrets into the log where DEBUG is asked for."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    for name in ("urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.WARNING)


# ── The guard ─────────────────────────────────────────────────────────────────
_here = threading.local()
# Python tells its audit hooks before it does any of these. A hook can't be taken away, so it looks only where a message
# is being sent.
FORBIDDEN = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
    | {"_thread.start_new_thread", "_thread.start_joinable_thread"}  # another thread has no guard
)
LOOKED_AT = FORBIDDEN | {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}


class _Guard:
    """While it is entered, this thread connects to allowed addresses alone, and begins no program."""

    def __init__(self, allows: Callable[[str], bool]) -> None:
        self.allows, self.refused = allows, False

    def __enter__(self) -> None:
        _hook_once()
        _here.guard = self

    def __exit__(self, *_trouble: object) -> None:
        _here.guard = None


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in LOOKED_AT:
        return
    guard = getattr(_here, "guard", None)
    if guard is None:
        return
    if event == "socket.connect" and isinstance(arguments[1], tuple) and guard.allows(str(arguments[1][0])):
        return
    guard.refused = True
    raise PermissionError("a notice may not go there")


_hooked = threading.Lock()
_state = {"hooked": False}


def _hook_once() -> None:
    with _hooked:
        if not _state["hooked"]:
            sys.addaudithook(_look)
            _state["hooked"] = True
