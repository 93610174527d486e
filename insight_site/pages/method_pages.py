"""The method documents of docs/ as pages: Markdown to HTML, with an anchor per heading for links from terms."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.text import slugify

FOLDER = settings.BASE_DIR / "docs"
# What a reader of results may want to look up; documents about running and building the site are left out.
DOCUMENTS = (
    "index", "retention", "discovery", "evidence", "integrity", "comparison", "clusters", "encouragement", "joint",
    "verdict", "decision", "analysis", "verdicts", "decision-figures", "power", "design_search", "survival",
    "saturation", "policy", "pooling", "past_experiments", "pooling-figures", "segments", "profiles", "queries",
    "events", "assignment", "worlds", "known_answers", "calibration", "audit", "peers", "analyze_file", "review",
    "metrics", "which_behaviour_figures", "several_experiments", "selftest", "verify", "agents", "libraries",
)  # fmt: skip
RENAMED = {"simulation": "worlds", "statistics": "index"}  # slugs of version 0.4, which redirect to the new ones
LINK = re.compile(r"^([\w./]+\.md)(?:#(.*))?$")
FIGURES = "-figures"  # suffix of the slug of a page of figures that shares its name with a method page


@dataclass(frozen=True)
class MethodPage:
    """One document.

    Attributes:
        slug: its address.
        title: its first heading.
        html: the rest.
        headings: anchor and text of each section.
    """

    slug: str
    title: str
    html: str
    headings: tuple[tuple[str, str], ...]


def anchor(heading: str) -> str:
    """The anchor of a section, from its heading."""
    return slugify(heading.replace("`", "").replace("_", "-"), allow_unicode=True)


def document(slug: str) -> Path:
    """A document's path: docs/methods/ holds the formulas, docs/ everything else."""
    path: Path = FOLDER / "methods" / f"{slug}.md"
    return path if path.is_file() else FOLDER / f"{slug.removesuffix(FIGURES)}.md"


def slug_of(path: Path) -> str:
    """The slug of the document at this path."""
    return path.stem if document(path.stem) == path else f"{path.stem}{FIGURES}"


@lru_cache(maxsize=1)
def titles() -> tuple[tuple[str, str], ...]:
    """Slug and title of every document: its first heading, read without rendering the page."""
    found = []
    for slug in DOCUMENTS:
        path = document(slug)
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        heading = next((line[2:].strip() for line in lines if line.startswith("# ")), "")
        if heading:
            found.append((slug, heading.replace("`", "")))
    return tuple(found)


@lru_cache(maxsize=64)
def method_page(slug: str) -> MethodPage | None:
    """A document of docs/ as a page; None if it isn't for readers, or doesn't exist."""
    path = document(slug)
    if slug not in DOCUMENTS or not path.is_file():
        return None
    parser = _parser()
    tokens = parser.parse(path.read_text(encoding="utf-8"))
    title, headings, rendered = slug, [], []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token.type == "heading_open":
            text = tokens[place + 1].content.replace("`", "")
            if token.tag == "h1":
                title, place = text, place + 3
                continue
            token.attrSet("id", anchor(text))
            if token.tag == "h2":
                headings.append((anchor(text), text))
        if token.type == "inline":
            _point_inside(token, path.parent)
        rendered.append(token)
        place += 1
    html: str = parser.renderer.render(rendered, parser.options, {})
    return MethodPage(slug, title, _scrolling(html), tuple(headings))


def all_pages() -> tuple[MethodPage, ...]:
    """All existing method pages, in the order of the work."""
    return tuple(page for page in map(method_page, DOCUMENTS) if page is not None)


def _parser() -> Any:
    """Markdown without raw HTML. Imported here, because no other page needs it."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _point_inside(token: Any, folder: Path) -> None:
    """Point links to other documents to their pages; links to files of the repository become plain text."""
    children, inside = [], False
    for child in token.children or ():
        if child.type == "link_open":
            target = child.attrGet("href") or ""
            link = LINK.match(target)
            slug = slug_of((folder / link[1]).resolve()) if link else ""
            if link and slug in DOCUMENTS:
                child.attrSet("href", reverse("method", args=[slug]) + (f"#{link[2]}" if link[2] else ""))
            elif not target.startswith(("https://", "#")):
                inside = True
                continue
        if child.type == "link_close" and inside:
            inside = False
            continue
        children.append(child)
    token.children = children


def _scrolling(html: str) -> str:
    """Make wide tables and formulas scroll horizontally, by keyboard too."""
    html = html.replace("<table>", '<div class="scroll" tabindex="0" role="region" aria-label="table"><table>')
    return html.replace("</table>", "</table></div>").replace("<pre>", '<pre tabindex="0">')
