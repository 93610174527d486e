"""A tutorial as a list of steps that a machine can do, read from the Markdown that people read.

What a page may hold, beside its prose:

* a block ``sh`` is run by bash at the top of the checkout; variables that it exports stay;
* a block ``text`` is what the block before it prints: each line stands in the output, in this order; ``…`` is any text;
* a block with a title (``python title="app.py"``) is saved under that name;
* ``<!-- test: background URL -->`` before a block ``sh``: it runs in a terminal of its own, ready when URL answers;
* ``<!-- page: DO -->`` does something in the browser with the bold words before it, which stand on the page in both
  languages: ``open /address/``, ``see``, ``press``, ``fill TEXT``, ``tick``, ``log in NAME``, ``log out``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
MARK = re.compile(r"<!-- (?P<kind>test|page): (?P<text>.*?) -->", re.DOTALL)
BOLD = re.compile(r"\*\*(.+?)\*\*")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        language: the first word of its fence.
        code: without indentation.
        title: the file that it is saved as; "" for none.
        background: the address that answers when it is ready; "" for a block that ends by itself.
    """

    language: str
    code: str
    title: str = ""
    background: str = ""


@dataclass(frozen=True)
class PageStep:
    """Something to do in the browser.

    Attributes:
        verb: `open`, `see`, `press`, `fill`, `tick`, `log in` or `log out`.
        what: the address to open, the text to fill in, who logs in; "" for none.
        labels: the bold words that the reader sees, since the step before.
    """

    verb: str
    what: str
    labels: tuple[str, ...]


Step = Block | PageStep
VERBS = ("open", "see", "press", "fill", "tick", "log in", "log out")


def steps(path: Path) -> list[Step]:
    """The steps of a tutorial, in order.

    Raises:
        ValueError: a mark that nobody knows.
    """
    return list(_steps(path.read_text(encoding="utf-8")))


def blocks(path: Path) -> list[Block]:
    """Its blocks alone: those that both languages share."""
    return [step for step in steps(path) if isinstance(step, Block)]


def _steps(text: str) -> Iterator[Step]:
    at, background = 0, ""
    labels: list[str] = []
    places = sorted([*FENCE.finditer(text), *MARK.finditer(text)], key=lambda found: found.start())
    for found in places:
        if found.start() < at:
            continue  # a mark that a block shows
        labels += BOLD.findall(text[at : found.start()])
        at = found.end()
        if found.re is FENCE:
            yield _block(found, background)
            labels, background = [], ""
        elif found["kind"] == "test":
            background = found["text"].removeprefix("background ")
        else:
            verb = next((verb for verb in VERBS if found["text"].startswith(verb)), "")
            if not verb:
                raise ValueError(f"no such step: {found['text']}")
            yield PageStep(verb, found["text"].removeprefix(verb).strip(), tuple(labels))
            labels = []


def _block(found: re.Match[str], background: str) -> Block:
    language, _, rest = found["info"].partition(" ")
    title = re.search(r'title="([^"]+)"', rest)
    indent = len(found["indent"])
    code = "".join(line[indent:] if line.strip() else "\n" for line in found["code"].splitlines(keepends=True))
    return Block(language, code, title[1] if title else "", background)
