"""Diagnose this site and say how to fix it: a function for each kind of problem, for `manage.py doctor`."""

import ipaddress
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from events.store import event_table
from events.store.object_store import is_remote, local_folder
from insight_site.access.permissions import ALIVE
from insight_site.models import Notice
from insight_site.operate import component_health

# Checks of the site's environment for `doctor`: the proxy, the server of event streams, the memory.

ASK_SECONDS = 3.0
LIMIT = Path("/sys/fs/cgroup/memory.max")  # memory limit of this container or unit
MACHINE = Path("/proc/meminfo")
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def complaints() -> Iterator[tuple[str, str, str]]:
    """Problems as (name, finding, advice); none of them stops the site."""
    if settings.HTTPS and not settings.BEHIND_PROXY:
        yield (
            "proxy",
            _("HTTPS is on and BEHIND_PROXY off: behind a proxy each page would be sent on to itself for ever."),
            _("Set BEHIND_PROXY=1 in .env, and let the proxy set X-Forwarded-Proto and X-Forwarded-For."),
        )
    if not settings.BEHIND_PROXY and any(
        ipaddress.ip_network(network).is_loopback for network in settings.INTERNAL_NETWORKS
    ):
        yield (
            "proxy",
            _("INTERNAL_NETWORKS names this machine: a proxy on it could open /metrics to all its visitors."),
            _("Take it out of INTERNAL_NETWORKS and use a key with metrics:read, or set BEHIND_PROXY=1."),
        )
    if not (settings.BEHIND_PROXY or settings.HTTPS or settings.DEBUG):
        yield (
            "proxy",
            _("No proxy stands in front: a few clients that send slowly can stop the site."),
            _("Put nginx in front (docs/deploy.md) and set BEHIND_PROXY=1."),
        )
    yield from _streams()
    yield from _memory()


def _streams() -> Iterator[tuple[str, str, str]]:
    """Whether EVENT_STREAMS_URL leads to a process that serves streams, which web processes don't."""
    if not settings.EVENT_STREAMS_URL:
        return
    parts = urlsplit(settings.EVENT_STREAMS_URL)
    if parts.scheme not in ("http", "https") or not parts.netloc or (settings.HTTPS and parts.scheme != "https"):
        wrong = _("EVENT_STREAMS_URL is no address that browsers of this site may open: {url}")
        mend = _("Write it as https://insight.example.com, as browsers see the proxy.")
        yield "event streams", wrong.format(url=settings.EVENT_STREAMS_URL), mend
        return
    seen = _status_of(parts)
    if seen != "200":
        wrong = _("no process holds event streams at {url}: {seen}").format(url=settings.EVENT_STREAMS_URL, seen=seen)
        mend = _("Start manage.py event_streams, and let the proxy send /ofrep/v1/streams/ to it.")
        yield "event streams", wrong, mend


def _status_of(parts: SplitResult) -> str:
    """The HTTP status of the stream process's health check, through the proxy; or the error's class name."""
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    asking = kind(parts.netloc, timeout=ASK_SECONDS)
    try:
        asking.request("GET", f"{parts.path}{ALIVE}")
        return str(asking.getresponse().status)
    except (OSError, HTTPException) as trouble:
        return type(trouble).__name__
    finally:
        asking.close()


def _memory() -> Iterator[tuple[str, str, str]]:
    room = memory()
    web = int(os.environ.get("WEB_CONCURRENCY", "2")) * settings.EXPLORE_QUESTIONS * size(settings.EXPLORE_MEMORY)
    worker = settings.WORKERS * settings.WORKER_MB * 10**6
    for need, names in ((web, "WEB_CONCURRENCY × EXPLORE_QUESTIONS × EXPLORE_MEMORY"), (worker, "WORKERS × WORKER_MB")):
        if room and need > room:
            text = _("{names} is {need:.1f} GB, and there are {room:.1f} GB here.")
            yield (
                "memory",
                text.format(names=names, need=need / 1e9, room=room / 1e9),
                _("Lower one of them, or give web and worker more memory."),
            )


def memory() -> int:
    """Memory limit in bytes: of the container or unit, else of the machine; 0 if unknown."""
    limits = []
    if LIMIT.exists() and (text := LIMIT.read_text().strip()).isdigit():
        limits.append(int(text))
    if MACHINE.exists() and (total := re.search(r"MemTotal:\s+(\d+) kB", MACHINE.read_text())):
        limits.append(int(total[1]) * 1024)
    return min(limits, default=0)


def size(text: str) -> int:
    """Parse "2GB", "1500MB", "1.5 GiB" to bytes; 0 for other texts, which the engine itself rejects."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    return int(float(match[1]) * UNITS[match[2].upper()]) if match else 0


OK, LOOK, WRONG = "ok", "look", "wrong"
OLDEST_POSTGRESQL = (14,)
LONG_LOG = 200_000_000  # bytes; the settings cut it to a third of that
WITHOUT_HTTPS = ("security.W004", "security.W008", "security.W012", "security.W016")  # the checks that HTTPS=1 fixes


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: name of the check.
        state: OK, LOOK (it works, but needs attention) or WRONG.
        text: what was found.
        mend: how to fix it; "" if nothing needs fixing.
    """

    name: str
    state: str
    text: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        """As JSON, for `--json`."""
        return asdict(self)


def examine() -> list[Finding]:
    """All checks, in the order in which to fix problems; without a database, none that depend on it."""
    findings = [*_settings(), *_surroundings(), *_packages(), *_folders(), *_server(), *_open_files(), *_database()]
    if any(finding.name == "database" and finding.state == WRONG for finding in findings):
        return findings
    return [*findings, *_people(), _mail(), *_parts()]


def _settings() -> Iterator[Finding]:
    issues = checks.run_checks(include_deployment_checks=not settings.DEBUG)
    messages = [message for message in issues if not message.is_silenced()]
    if not settings.HTTPS:
        messages = [message for message in messages if message.id not in WITHOUT_HTTPS]
        yield Finding(
            "settings",
            LOOK,
            _("HTTPS is off: passwords and keys travel in the clear."),
            _("Put a proxy with a certificate in front, and set HTTPS=1 and BEHIND_PROXY=1 in .env."),
        )
    for message in messages:
        state = WRONG if message.level >= checks.ERROR else LOOK
        yield Finding("settings", state, f"{message.msg} ({message.id})", message.hint or _("Set it in .env."))
    if settings.DEBUG:
        yield Finding("settings", LOOK, _("DEBUG is on."), _("Take DEBUG out of .env before others use the site."))
    if not messages:
        yield Finding("settings", OK, _("no complaint"))


def _surroundings() -> Iterator[Finding]:
    for name, text, mend in complaints():
        yield Finding(name, LOOK, text, mend)


def _packages() -> Iterator[Finding]:
    """Compare each installed package with the lock file."""
    lock = settings.BASE_DIR / "requirements.txt"
    if not lock.exists():
        return
    wanted = dict(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s\\;]+)", lock.read_text(), re.MULTILINE))
    other = [
        f"{name} {seen or _('missing')} ≠ {want}" for name, want in wanted.items() if (seen := _seen(name)) != want
    ]
    python = f"Python {sys.version.split()[0]}"
    if other:
        mend = "pip install --require-hashes -r requirements.txt"
        yield Finding("packages", LOOK, f"{python}; {', '.join(other)}", mend)
    else:
        yield Finding("packages", OK, _("{python}, {n} packages as in the lock").format(python=python, n=len(wanted)))


def _seen(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _folders() -> Iterator[Finding]:
    """Folders that this process must be able to write."""
    places = {"EVENTS_URL": local_folder(str(settings.EVENTS_URL)), "UPLOADS_DIR": Path(settings.UPLOADS_DIR)}
    places |= {"EXPLORE_DIR": Path(settings.EXPLORE_DIR), "COMPILED_DIR": Path(settings.COMPILED_DIR)}
    refused = []
    for name, folder in places.items():
        if folder is None:
            continue
        there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
        try:
            with tempfile.NamedTemporaryFile(dir=there, prefix=".insight-doctor-"):
                pass
        except OSError as trouble:
            refused.append(f"{name} {folder}: {trouble.strerror}")
    if refused:
        mend = _("Give the user of web and worker the right to write there, or set another folder in .env.")
        yield Finding("folders", WRONG, "; ".join(refused), mend)
    else:
        yield Finding("folders", OK, _("all can be written"))


def _server() -> Iterator[Finding]:
    """Check that the object store lets only one of two concurrent commits succeed, without which events can be lost."""
    if not is_remote(str(settings.EVENTS_URL)):
        return
    mend = _("See “A store in S3” in docs/events.md.")
    try:
        lost = event_table.loses_commits(str(settings.EVENTS_URL))
    except OSError as trouble:
        yield Finding("object store", WRONG, str(trouble).splitlines()[0], mend)
        return
    if lost:
        text = _("lets a commit replace another one (it passes over If-None-Match): events are lost.")
        yield Finding("object store", WRONG, text, mend)
    else:
        yield Finding("object store", OK, _("of commits at one moment none was lost"))


def _open_files() -> Iterator[Finding]:
    """Files with secrets or users' data that any account of this machine can read."""
    files = [settings.BASE_DIR / ".env", settings.VAR_DIR / "secret_key", settings.VAR_DIR / "signing_key"]
    if connection.vendor == "sqlite":
        files.append(Path(str(connection.settings_dict["NAME"])))
    if (events := local_folder(str(settings.EVENTS_URL))) is not None:
        files.append(events)
    bare = [str(file) for file in files if file.exists() and _is_open(file)]
    if bare:
        yield Finding(
            "privacy", LOOK, _("others can read {files}").format(files=", ".join(bare)), "chmod o-rwx " + bare[0]
        )
    else:
        yield Finding("privacy", OK, _("no other account of this machine can read secrets or events"))


def _is_open(file: Path) -> bool:
    """True if other accounts can read it and enter every folder above it."""
    way = [folder.stat().st_mode & stat.S_IXOTH for folder in file.resolve().parents]
    return bool(file.stat().st_mode & stat.S_IROTH) and all(way)


def _database() -> Iterator[Finding]:
    for name, line in component_health.readiness().items():
        mend = MENDS[component_health.DATABASE]() if name == "database" else "manage.py migrate"
        yield (
            Finding(name, OK, _vendor() if name == "database" else "")
            if line == "ok"
            else Finding(name, WRONG, line, mend)
        )
    if (log := component_health.write_ahead_log_size()) is not None and log > LONG_LOG:
        text = _("SQLite's log has {megabytes} MB: something has read the database for long.").format(
            megabytes=f"{log / 1e6:,.0f}"
        )
        mend = _("It is shortened each night; end what reads for long, or restart the site.")
        yield Finding("database", LOOK, text, mend)
    if connection.vendor == "postgresql" and connection.get_database_version() < OLDEST_POSTGRESQL:
        yield Finding("database", LOOK, _vendor(), _("Take PostgreSQL 14 or later."))


def _vendor() -> str:
    try:
        return f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}"
    except (DatabaseError, InterfaceError):
        return str(connection.display_name)


def _people() -> Iterator[Finding]:
    number = get_user_model().objects.filter(is_active=True, is_superuser=True).count()
    if number:
        yield Finding("people", OK, _("{n} active superusers").format(n=number))
        yield _second_factors(number)
    else:
        yield Finding(
            "people", WRONG, _("nobody can administer this site"), "manage.py bootstrap --email YOU@EXAMPLE.COM"
        )


def _second_factors(superusers: int) -> Finding:
    """Superusers who can sign in by password alone. Those who come by a provider have no factor here."""
    people = get_user_model().objects.filter(is_active=True, is_superuser=True).exclude(authenticator__isnull=False)
    bare = [user for user in people if user.has_usable_password()] if settings.LOCAL_PASSWORDS else []
    if not bare:
        return Finding("second factor", OK, _("no superuser logs in with a password alone"))
    text = _("{n} of {all} superusers log in with a password alone").format(n=len(bare), all=superusers)
    return Finding(
        "second factor", LOOK, text, _("Set MFA_REQUIRED_ROLES=superuser in .env: they are asked to add one.")
    )


def _mail() -> Finding:
    """Whether mail works, which notices, digests and links to set a password need."""
    if settings.MAILERS["default"]["BACKEND"].endswith(("console.EmailBackend", "dummy.EmailBackend")):
        mend = _("Set EMAIL_URL in .env, and try it with manage.py notices --test YOU@EXAMPLE.COM.")
        return Finding("mail", LOOK, _("no mail goes out: EMAIL_URL is not set"), mend)
    site = settings.NOTICES.site
    if not settings.DEBUG and urlsplit(site).hostname in ("localhost", "127.0.0.1", "::1"):
        mend = _("Set SITE_URL in .env to the address that people type.")
        return Finding("mail", LOOK, _("links in mails lead to {site}").format(site=site), mend)
    week = timezone.now() - timedelta(days=7)
    lost = Notice.objects.filter(state=Notice.State.GIVEN_UP, ended_at__gt=week).count()
    if lost:
        text = _("{n} notices of the last week were given up").format(n=lost)
        return Finding("mail", LOOK, text, _("Notices in the admin say why; send them again there."))
    return Finding("mail", OK, _("notices go out from {address}").format(address=settings.DEFAULT_FROM_EMAIL))


MENDS: dict[str, Callable[[], str]] = {
    component_health.DATABASE: lambda: _("Start the database, correct DATABASE_URL, or make room on its disk."),
    "worker": lambda: _("Start one: manage.py worker."),
    "scheduler": lambda: _("Read the worker's log; set this machine's clock; see Schedules in the admin."),
    "queue": lambda: _("Read the worker's log, and Background tasks in the admin; start another worker."),
    "outbox": lambda: _("Run manage.py flush_events and read what it says."),
    "store": lambda: _("See “A store that is not whole, or not ours” in docs/events.md."),
    "backup": lambda: _("Run manage.py backup and read what it says; see docs/backup.md."),
    "disk": lambda: _("Make room, or lower DISK_FREE_MB."),
    "clock": lambda: _("Let all machines set their clocks by NTP."),
    "cache": lambda: _("Start Redis, or correct REDIS_URL."),
}


def _parts() -> Iterator[Finding]:
    for name in component_health.SIGNS:
        if name == component_health.DATABASE:
            continue  # `_database` reported it already
        sign = component_health.look(name)
        yield Finding(name, OK, sign.text) if sign.ok else Finding(name, WRONG, sign.text, MENDS[name]())
