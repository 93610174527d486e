"""Send a notice by Apprise to an address that a person entered, without giving access to this network (SSRF).

Apprise supports some 140 services, including local commands, files and devices. So there is an allow list of services.
Of an address only parameters that name a destination are accepted, since others read files or disable certificate
checks. And while a message is sent, this thread may connect only to public addresses: the check is on the connection
itself, so neither a redirect nor a host name that resolves differently the second time gets past it.
"""

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from experiments.webhook_messages import Undelivered, is_public
from runs.refusals import Refused

if TYPE_CHECKING:
    from apprise import NotifyBase

SECONDS = 25.0
# By Apprise's URL scheme: all of these use TLS.
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
# Without TLS: only where NOTICES_TO_PRIVATE_ADDRESSES says that the network is trusted.
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
# Services on a host that the person chooses; only the host may be shown of such an address.
OWN_HOST = frozenset({"mmosts", "rockets", "matrixs", "ntfys", "mailtos", "jsons", "forms", "xmls", "workflow", *PLAIN})
# Allowed query parameters. "template", "pgpkey" and "attach" read files, "verify" accepts any certificate,
# "redirect" follows any redirect.
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
    | {"key", "token", "api-version", "sp", "sv", "sig"}  # address formats of Google and Microsoft
)


@dataclass(frozen=True)
class Address:
    """A destination that notices may go to.

    Attributes:
        url: as entered: a secret.
        service: the part that may be shown, such as "Slack", or "JSON, hooks.example.com".
    """

    url: str
    service: str


def check_address(url: str) -> Address:
    """Check whether notices may go there, without connecting.

    Raises:
        Refused: Apprise doesn't know the address, or its service isn't allowed. The message doesn't contain the
            address.
    """
    scheme = _scheme(url)
    allowed = {**SERVICES, **(PLAIN if settings.NOTICES.private else {})}
    if scheme not in allowed:
        raise Refused(
            "This site doesn't send notices to addresses that begin with “{scheme}”. It knows: {known}.",
            scheme=f"{scheme}://",
            known=", ".join(f"{prefix}://" for prefix in sorted(allowed)),
        )
    plugin = _plugin(url)
    name = allowed[scheme]
    return Address(url, f"{name}, {plugin.host}" if scheme in OWN_HOST else name)


def send(url: str, *, title: str, text: str, allows: Callable[[str], bool] = is_public) -> None:
    """Send one message, and wait at most SECONDS.

    Args:
        url: of the destination; checked again, even if it was checked when stored.
        title: one line.
        text: the rest.
        allows: whether a connection to an IP address is allowed; all are where NOTICES_TO_PRIVATE_ADDRESSES is set.

    Raises:
        Refused: the address isn't allowed.
        Undelivered: the destination rejected it, or was too slow. The message doesn't contain the address.
    """
    check_address(url)
    plugin, guard = _plugin(url), _Guard((lambda _ip: True) if settings.NOTICES.private else allows)
    done: list[bool | str] = []

    def work() -> None:
        with guard:
            try:
                done.append(bool(plugin.notify(body=text, title=title)))
            except Exception as trouble:  # the error text of 140 services may hold secrets: the class name is enough
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
    """The service's scheme in an address; web addresses of Slack, Discord and others map to those of their services."""
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
    plugin = _instance(url)
    if plugin is None:
        raise Refused("This address can't be read. docs/notices.md shows one for each service.")
    return plugin


def _instance(url: str) -> "NotifyBase | None":
    """Apprise's parsed form of an address; nothing is sent."""
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - a third of a second, which no other page needs

    _silence()
    # Store nothing on disk, load no plug-ins from there, and follow no redirects.
    asset = AppriseAsset(
        app_id="Insight", app_desc="Insight", app_url="", plugin_paths=[], storage_mode="memory", http_redirects=False
    )
    plugin: Any = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    return plugin  # type: ignore[no-any-return]


def _first(names: Any) -> str:
    return str(names if isinstance(names, str) else next(iter(names or ("",))))


def _silence() -> None:
    """Limit log levels: at DEBUG, Apprise and urllib3 log addresses with their secrets."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    for name in ("urllib3", "requests"):
        logging.getLogger(name).setLevel(logging.WARNING)


# ── The guard ─────────────────────────────────────────────────────────────────
_here = threading.local()
# Python calls its audit hooks before each of these. A hook can't be removed, so it checks only while a message
# is being sent.
FORBIDDEN = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
    | {"_thread.start_new_thread", "_thread.start_joinable_thread"}  # a new thread would be unguarded
)
LOOKED_AT = FORBIDDEN | {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}


class _Guard:
    """While active, this thread connects only to allowed addresses, and starts no program."""

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
