"""Tools that explain: glossary terms, verdict rules, and a full-text search of docs/ in this process."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings

from experiments.analyse.codes import Code, code_words
from experiments.report.verdict import reasons_in_words
from insight_site.agents.agent_tool import AgentTool, Json, ToolCall, ToolRefusal, text, whole
from insight_site.pages.glossary import matching, sections
from insight_site.pages.method_pages import RENAMED

FOLDER = settings.BASE_DIR / "docs"
WORD = re.compile(r"[\w-]+")
HEADING = re.compile(r"^(#{1,4}) +(.+)$")
SNIPPET_CHARS = 600
IN_HEADING = 3.0  # weight of a word in the heading


@dataclass(frozen=True)
class Passage:
    """One section of a page."""

    page: str
    heading: str
    text: str
    words: Counter[str]


@cache
def pages() -> dict[str, str]:
    """Every page of docs/ by its path. Translated pages and data in other folders are left out."""
    paths = sorted([path for part in ("", "methods/", "agents/", "adr/") for path in FOLDER.glob(f"{part}*.md")])
    return {path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def page_of(name: str) -> str | None:
    """A page by its path, or by its path in 0.4, before docs/methods/ existed; None if there is none."""
    slug = name.removesuffix(".md")
    return pages().get(name) or pages().get(f"methods/{RENAMED.get(slug, slug)}.md")


def search(query: str, *, most: int) -> list[dict[str, Any]]:
    """Sections, best match first; none if no word is found.

    Args:
        query: words.
        most: maximum number of results.
    """
    wanted = set(_words(query))
    passages = _passages()
    rarity = {word: _rarity(word) for word in wanted}
    scored = [(sum(rarity[word] * _weight(passage.words[word]) for word in wanted), passage) for passage in passages]
    best = sorted((row for row in scored if row[0] > 0), key=lambda row: (-row[0], row[1].page, row[1].heading))
    return [
        {
            "page": passage.page,
            "section": passage.heading,
            "text": passage.text[:SNIPPET_CHARS],
            "score": round(score, 2),
        }
        for score, passage in best[:most]
    ]


@cache
def _passages() -> tuple[Passage, ...]:
    return tuple(passage for name, text in pages().items() for passage in _sections(name, text))


def _sections(name: str, text: str) -> list[Passage]:
    parts: list[tuple[str, list[str]]] = [(name, [])]
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        match = None if fenced else HEADING.match(line)
        if match:
            parts.append((match[2].strip(), []))
        else:
            parts[-1][1].append(line)
    return [
        Passage(name, heading, body, Counter(_words(body)) + Counter(_words(heading) * int(IN_HEADING)))
        for heading, lines in parts
        if (body := "\n".join(lines).strip())
    ]


def _weight(times: int) -> float:
    """Weight of a word by its frequency: each further mention adds less."""
    return math.log1p(times)


@cache
def _rarity(word: str) -> float:
    passages = _passages()
    holding = sum(word in passage.words for passage in passages)
    return math.log((1 + len(passages)) / (1 + holding))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(text)]


MOST_TERMS = 10


def explain(call: ToolCall) -> Json:
    """Explain a term, or when a verdict is given."""
    about = str(call["about"]).strip()
    terms = [term for section in matching(sections(), about) for term in section.terms]
    exact = [term for term in terms if about.casefold() in (term.slug, term.name.casefold())]
    verdicts = [code for code in Code if about.upper().replace(" ", "_") == code.value]
    return {
        "terms": [
            {"name": term.name, "meaning": term.meaning, "page": f"{term.doc}.md", "section": term.heading}
            for term in (exact or terms)[:MOST_TERMS]
        ],
        "verdicts": [
            {"code": code.value, "heading": code_words(code), "reasons": reasons_in_words(code)} for code in verdicts
        ],
    }


def search_docs(call: ToolCall) -> Json:
    """Sections of the documentation, best match first."""
    return {"results": search(str(call["query"]), most=call["most"] or 8)}


def read_doc(call: ToolCall) -> Json:
    """One page of the documentation."""
    name = str(call["page"])
    markdown = page_of(name)
    if markdown is None:
        raise ToolRefusal("not_found", "There is no such page: search_docs says which there are.")
    return {"page": name, "markdown": markdown}


TOOLS = (
    AgentTool(
        "explain",
        "Explain a term or a verdict",
        explain,
        note="Look up a term of the glossary (for example take-up, hold-out, breakdown) or the rules of a verdict "
        "(for example NUDGE_FAILED). For the result of one experiment use explain_result.",
        own={"about": text("term, or code of a verdict", 100)},
        needs=("about",),
    ),
    AgentTool(
        "search_docs",
        "Search the documentation",
        search_docs,
        note="Search Insight's documentation by words; returns sections, best match first.",
        own={
            "query": text("search words", 200),
            "most": {**whole("maximum number of results; default 8", 1), "maximum": 20},
        },
        needs=("query",),
    ),
    AgentTool(
        "read_doc",
        "Read a page of the documentation",
        read_doc,
        note="Read one page of the documentation as Markdown. search_docs returns page names.",
        own={"page": text("page name, for example methods/discovery.md", 100)},
        needs=("page",),
    ),
)
