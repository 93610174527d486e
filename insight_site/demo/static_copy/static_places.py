"""Which pages a copy holds, and the file of each. Addresses are those of the site, without its host."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

from django.urls import Resolver404, resolve

from reporting.words import gettext

# Routes whose pages are copied, and the query parameters that select another page.
PAGES: dict[str, tuple[str, ...]] = {
    "home": (),
    "glossary": (),
    "methods": (),
    "method": (),
    "events:overview": (),
    "events:list": (),
    "events:event": ("name",),
    "events:live": (),
    "events:metrics": (),
    "events:metric": (),
    "events:metric_check": (),
    "explore:start": (),
    "explore:view": (),
    "segments:list": (),
    "segments:run": (),
    "segments:model": (),
    "segments:segment": (),
    "segments:churn": (),
    "segments:comparison": (),
    "aha:studies": (),
    "aha:study": ("tab",),
    "aha:candidate": (),
    "aha:moments": (),
    "aha:moment": (),
    "experiments:list": ("view",),
    "experiments:calibration": (),
    "experiments:holdouts": (),
    "experiments:holdout": (),
    "experiments:holdout_reading": (),
    "experiments:overlap_report": (),
    "experiments:reviews": (),
    "experiments:templates": (),
    "experiments:template": (),
    "experiments:report": (),
    "experiments:analysis": (),
    "experiments:health": (),
    "experiments:plan": (),
    "experiments:step": (),
    "experiments:setup": (),
    "experiments:history": (),
    "experiments:rollout": (),
}
FILES = {"image": "", "dark": "", "csv": ".csv", "svg": ".svg", "json": ".json"}  # formats and their file extensions
MOST_PAGES = 300  # of one language


def left_out() -> tuple[str, ...]:
    """What a copy leaves out, in sentences of the reader's language."""
    return (
        gettext("Forms that make or change something: new studies, segmentations, plans, metrics and audiences."),
        gettext("Lists that were filtered, sorted or searched, and answers of Explore to another question."),
        gettext("Charts as PNG, reports as one file, and lists of users."),
        gettext("What a person sees of the own account: sign-in, notices, keys, the weekly digest."),
        gettext("The admin and the REST interface."),
    )


def page_of(address: str) -> str | None:
    """The address from which a page of the copy is read; None if it isn't in the copy."""
    parts = urlsplit(address)
    try:
        name = resolve(parts.path).view_name
    except Resolver404:
        return None
    asked = parse_qsl(parts.query, keep_blank_values=True)
    if name not in PAGES or any(key not in PAGES[name] for key, _value in asked):
        return None
    return parts.path + (f"?{parts.query}" if parts.query else "")


def file_of(page: str) -> str:
    """A page's file below the folder of its language."""
    parts = urlsplit(page)
    folder = "/".join(_plain(unquote(one)) for one in parts.path.split("/") if one)
    name = "-".join(_plain(word) for pair in parse_qsl(parts.query) for word in pair) or "index"
    return f"{folder}/{name}.html" if folder else f"{name}.html"


def picture_of(address: str) -> tuple[str, str] | None:
    """The file of a picture or its data, and the extension that its address lacks; None if it isn't copied."""
    path = urlsplit(address).path
    try:
        match = resolve(path)
    except Resolver404:
        return None
    kind = match.kwargs.get("kind")
    if match.view_name != "picture" or kind not in FILES:
        return None
    return path.lstrip("/").removesuffix(f".{kind}") + f"-{kind}", FILES[kind]


def _plain(text: str) -> str:
    """A file name that is safe everywhere; different texts get different names."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", text):
        return text
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', text).strip('-') or 'x'}-{crc32(text.encode()):08x}"
