"""A full-text search of docs/ in this process: sections by the words that they hold, rare words and headings first."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings

from insight_site.help.method_pages import RENAMED

FOLDER = settings.BASE_DIR / "docs"
WORD = re.compile(r"[\w-]+")
HEADING = re.compile(r"^(#{1,4}) +(.+)$")
SNIPPET_CHARS = 600
IN_HEADING = 3.0  # a word of the heading counts so many times


@dataclass(frozen=True)
class Passage:
    """One section of a page."""

    page: str
    heading: str
    text: str
    words: Counter[str]


@cache
def pages() -> dict[str, str]:
    """Every page of docs/ by its path, as it lies there. Pages in other languages and other folders' data stay out."""
    found = sorted([path for part in ("", "methods/", "agents/", "adr/") for path in FOLDER.glob(f"{part}*.md")])
    return {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in found}


def page(name: str) -> str | None:
    """A page by its path, or by the path that it had in 0.4, before docs/methods/; None where there is none."""
    slug = name.removesuffix(".md")
    return pages().get(name) or pages().get(f"methods/{RENAMED.get(slug, slug)}.md")


def search(query: str, *, most: int) -> list[dict[str, Any]]:
    """Sections, the best first; none where no word is found.

    Args:
        query: words.
        most: so many at most.
    """
    wanted = set(_words(query))
    passages = _passages()
    rarity = {word: _rarity(word) for word in wanted}
    scored = [(sum(rarity[word] * _weight(one.words[word]) for word in wanted), one) for one in passages]
    best = sorted((row for row in scored if row[0] > 0), key=lambda row: (-row[0], row[1].page, row[1].heading))
    return [
        {"page": one.page, "section": one.heading, "text": one.text[:SNIPPET_CHARS], "score": round(score, 2)}
        for score, one in best[:most]
    ]


@cache
def _passages() -> tuple[Passage, ...]:
    return tuple(passage for name, text in pages().items() for passage in _sections(name, text))


def _sections(name: str, text: str) -> list[Passage]:
    found: list[tuple[str, list[str]]] = [(name, [])]
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        match = None if fenced else HEADING.match(line)
        if match:
            found.append((match[2].strip(), []))
        else:
            found[-1][1].append(line)
    return [
        Passage(name, heading, body, Counter(_words(body)) + Counter(_words(heading) * int(IN_HEADING)))
        for heading, lines in found
        if (body := "\n".join(lines).strip())
    ]


def _weight(times: int) -> float:
    """The second mention says less than the first."""
    return math.log1p(times)


@cache
def _rarity(word: str) -> float:
    passages = _passages()
    holding = sum(word in one.words for one in passages)
    return math.log((1 + len(passages)) / (1 + holding))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(text)]
