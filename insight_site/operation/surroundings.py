"""Checks of the site's environment for `doctor`: the proxy, the server of event streams, the memory."""

import ipaddress
import os
import re
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from insight_site.access.stream_address import ALIVE

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
    if not settings.BEHIND_PROXY and any(ipaddress.ip_network(one).is_loopback for one in settings.INTERNAL_NETWORKS):
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
    found = []
    if LIMIT.exists() and (text := LIMIT.read_text().strip()).isdigit():
        found.append(int(text))
    if MACHINE.exists() and (total := re.search(r"MemTotal:\s+(\d+) kB", MACHINE.read_text())):
        found.append(int(total[1]) * 1024)
    return min(found, default=0)


def size(text: str) -> int:
    """Parse "2GB", "1500MB", "1.5 GiB" to bytes; 0 for other texts, which the engine itself rejects."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)i?B?\s*", text, re.IGNORECASE)
    return int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
