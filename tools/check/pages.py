"""Check that what the documentation names exists: files, modules, tests, links, commands with options, make targets."""

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.core.management import get_commands, load_command_class

from insight_site.pages import glossary as pages_glossary
from insight_site.pages import method_pages
from insight_site.pages.glossary_terms import Term
from tests.attacks.register import HELD
from tools.docs_site import afterwards, sources

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
APPS = (
    "insight_site",
    "launches",
    "experiments",
    "aha",
    "segments",
    "events",
    "runs",
    "reporting",
    "stats",
    "tools",
    "benchmarks",
)
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|md|html|toml|m?js)\b")
MODULE = re.compile(rf"({'|'.join(APPS)})([./]\w+)+/?")
BLOCK = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
# Also written in Korean; method pages with formulas say that they are in English.
IN_KOREAN = ("index", "how-to/*", "explanation/*", "tutorials/*")
# Pages in the navigation's method sections that are no methods: the index, its former place, and the libraries.
NO_METHOD = {"methods/index.md", "statistics.md", "methods/libraries.md"}
# Pages of docs/methods/ in which each section is one method.
METHOD_BY_METHOD = (
    "integrity", "comparison", "clusters", "encouragement", "verdict", "decision", "pooling", "power", "survival",
)  # fmt: skip
# Of docs/map.md: a file, perhaps with its test; a file with the names in it; a rule, or a thing to add.
NAMED = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|md|po))?)(?:::(test_\w+))?`")
HOLDING = re.compile(r"`([\w./-]+\.py)` \(([^)]+)\)")
ITEM = re.compile(r"^\* \*\*(.+?)\*\*: (.*(?:\n  .*)*)", re.MULTILINE)
MOST_RULES = 60
# Rules that a stranger must find in a minute each.
IN_A_MINUTE = (
    "closing look", "window guard", "Holm", "peek", "sticky assignment", "rate limit of a public key",
    "sample-ratio alarm", "event from the future", "Idempotency-Key", "novelty", "erasure of a late event",
    "outcome lock",
)  # fmt: skip
ASKED = re.compile(r"{% (?:note|terms) ((?:\"[\w-]+\" ?)+)")


def pages() -> list[Path]:
    """Every page that people read about the project."""
    return [ROOT / "README.md", ROOT / "README.ko.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


@cache
def _names() -> frozenset[str]:
    """The names of all files, since a page may name one without its folder."""
    files = [path for folder in (*APPS, "docs", "templates", "tests") for path in (ROOT / folder).rglob("*.*")]
    return frozenset(path.name for path in [*ROOT.iterdir(), *files])


@cache
def _tests() -> frozenset[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return frozenset(name for path in files for name in re.findall(r"def (test_\w+)", path.read_text("utf-8")))


def names() -> Iterator[str]:
    """Run the checks of names: code quotes, links, commands, options, tests and make targets of every page."""
    for page in pages():
        text, name = page.read_text("utf-8"), page.relative_to(ROOT)
        yield from (f"{name}: `{one}` doesn't exist" for one in absent_files(text))
        yield from (f"{name}: there is no test {one}" for one in absent_tests(text))
        yield from (f"{name}: the link to {one} leads nowhere" for one in absent_links(text, page.parent))
        yield from (f"{name}: {one}" for one in absent_commands(text))
        yield from (f"{name}: make has no target {one}" for one in absent_targets(text))


def absent_files(text: str) -> Iterator[str]:
    """Files and modules in code quotes that don't exist."""
    written = set(re.findall(r'^```\w+ title="([^"]+)"$', text, re.MULTILINE))  # a tutorial has its reader write them
    for quoted in QUOTED.findall(text):
        if quoted.startswith("var/"):  # output files of commands
            continue
        if file := FILE.match(quoted):
            name = file.group()
            if not ((ROOT / name).exists() if "/" in name else name in _names() | written):
                yield quoted
        elif MODULE.fullmatch(quoted) and not _is_module(quoted.strip("/").replace("/", ".")):
            yield quoted


def _is_module(dotted: str) -> bool:
    """Whether it is a package, a module, or a name defined in a module; data files are examples."""
    if dotted.endswith((".parquet", ".json", ".jsonl")):
        return True
    path = ROOT / dotted.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module, name = path.parent.with_suffix(".py"), path.name
    return module.is_file() and re.search(rf"\b{name}\b", module.read_text("utf-8")) is not None


def absent_tests(text: str) -> Iterator[str]:
    """Tests named by a page, in full or by prefix, that don't exist."""
    for name, cut in re.findall(r"\b(test_\w+?__\w+)(\.\.\.|…)?", text):
        is_part = cut or name.endswith("__")
        if not (any(test.startswith(name) for test in _tests()) if is_part else name in _tests()):
            yield name


def absent_links(text: str, folder: Path) -> Iterator[str]:
    """Broken links inside the repository; links to generated pages are tried by the documentation site's own check."""
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        target = folder / link
        if not (target.exists() or target.resolve().is_relative_to(DOCS / "reference")):
            yield link


def absent_commands(text: str) -> Iterator[str]:
    """Commands of manage.py that don't exist, and options that our commands don't have."""
    text = text.replace("\\\n", " ")
    ours = {name for name, app in get_commands().items() if app in APPS}
    calls = re.findall(r"manage\.py (\w+)([^\n`]*)", text)
    calls += [(name, rest) for name, rest in re.findall(r"`(\w+)( [^\n`]*)`", text) if name in ours]
    for name, rest in calls:
        if name not in get_commands() and name != "NAME":
            yield f"there is no command {name}"
        for option in re.findall(r"(?<!\w)--[a-z][\w-]*", rest) if name in ours else ():
            if option not in _options(name):
                yield f"{name} has no option {option}"


@cache
def _options(command: str) -> frozenset[str]:
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    # A command with subcommands, such as `metrics export`, has a parser for each of them.
    verbs = [one.choices.values() for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    parsers = [parser, *(verb for group in verbs for verb in group)]
    return frozenset(option for one in parsers for option in one._option_string_actions)


def absent_targets(text: str) -> Iterator[str]:
    """Make targets that the Makefile doesn't have."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    yield from set(re.findall(r"(?:`|^(?=.*#))make ([a-z-]+)", text, re.MULTILINE)) - targets


def languages() -> Iterator[str]:
    """Pages for everybody that lack a Korean version, and pairs of pages whose code differs."""
    english = [page for pattern in IN_KOREAN for page in DOCS.glob(f"{pattern}.md") if not page.name.endswith(".ko.md")]
    yield from (
        f"{page.relative_to(ROOT)}: not in Korean" for page in english if not page.with_suffix(".ko.md").exists()
    )
    for page in [ROOT / "README.md", *(DOCS / "how-to").glob("*.md")]:
        other = page.with_suffix(".ko.md")
        if other.exists() and code_of(page.read_text("utf-8")) != code_of(other.read_text("utf-8")):
            yield f"{other.relative_to(ROOT)}: other blocks of code than in English"


def code_of(text: str) -> list[str]:
    """The code blocks of a page."""
    return BLOCK.findall(text)


def the_map() -> Iterator[str]:
    """Check docs/map.md: each rule names its file, its functions and a test; each "how to add" names a test."""
    text = (DOCS / "map.md").read_text("utf-8")
    yield from (f"docs/map.md: {one} doesn't exist" for one, _ in NAMED.findall(text) if not (ROOT / one).exists())
    yield from (
        f"docs/map.md: there is no {file}::{test}"
        for file, test in NAMED.findall(text)
        if test and not _names_it(ROOT / file, f"def {test}")
    )
    rules, adding = (ITEM.findall(part) for part in text.partition("\n## How to add")[::2])
    for title, item in rules:
        if {file.startswith("tests/") for file, _ in NAMED.findall(item)} != {True, False}:
            yield f"docs/map.md: “{title}” doesn't lead to its file and to a test"
        for file, names in HOLDING.findall(item):
            absent = [one for one in QUOTED.findall(names) if not _names_it(ROOT / file, one)]
            yield from (f"docs/map.md: “{title}”: {file} has no {one}" for one in absent)
    if len(rules) > MOST_RULES:
        yield f"docs/map.md: {len(rules)} rules, at most {MOST_RULES} are wanted"
    yield from (f"docs/map.md: no rule is called “{one}”" for one in IN_A_MINUTE if one not in dict(rules))
    for title, item in adding:
        if not any(re.fullmatch(r"tests/.*/test_\w+\.py", file) for file, _ in NAMED.findall(item)):
            yield f"docs/map.md: “{title}” names no test"
    if not 8 <= len(adding) <= 12:
        yield f"docs/map.md: {len(adding)} things to add"


def _names_it(file: Path, name: str) -> bool:
    """Whether a file contains a name; True for a missing file, which is a separate finding."""
    return not file.is_file() or re.search(rf"\b{name}\b", file.read_text("utf-8")) is not None


def navigation() -> Iterator[str]:
    """Pages missing in the documentation site's navigation, titles without Korean, method pages with missing parts."""
    nav = afterwards.configuration()["nav"]
    named = list(afterwards.navigation(nav))
    there = {place for place in sources.source_pages(ROOT).values() if not place.endswith(".ko.md")}
    absent = {place for place in there if place not in named and not place.startswith(("adr/0", "agents/"))}
    yield from (f"mkdocs.yml: {place} has no place in the navigation" for place in absent)
    yield from (f"mkdocs.yml: {place} stands there twice" for place in set(named) if named.count(place) > 1)
    korean = afterwards.configuration()["plugins"][1]["i18n"]["languages"][1]["nav_translations"]
    yield from (f"mkdocs.yml: “{title}” has no Korean" for title in set(_titles(nav)) - set(korean) - {"REST"})
    yield from (f"mkdocs.yml: no title is “{title}”" for title in set(korean) - set(_titles(nav)))
    for page in set(_section(nav, "Methods")) & set(named) - NO_METHOD:
        yield from (f"docs/{page}: {one}" for one in unsaid_by_method((DOCS / page).read_text("utf-8")))


def _titles(items: list[Any]) -> Iterator[str]:
    for item in items:
        for title, inner in item.items() if isinstance(item, dict) else ():
            yield title
            if isinstance(inner, list):
                yield from _titles(inner)


def _section(items: list[Any], wanted: str) -> Iterator[str]:
    """The pages of every section whose title starts with the given text."""
    for item in items:
        for title, inner in item.items() if isinstance(item, dict) else ():
            if title.startswith(wanted):
                yield from afterwards.navigation(inner)
            elif isinstance(inner, list):
                yield from _section(inner, wanted)


def unsaid_by_method(text: str) -> Iterator[str]:
    """Required statements that a method page lacks."""
    for pattern, what in (
        ("when not to use it|not for:", "when not to use it"),
        ("assum", "assumptions"),
        ("source", "source"),
    ):
        if not re.search(pattern, text, re.IGNORECASE):
            yield f"a method page without its {what}"


def methods() -> Iterator[str]:
    """Methods (sections with a source on these pages) without formula (or rule), assumptions, limits or tests."""
    sections = [
        (page, text)
        for page in (DOCS / "methods" / f"{name}.md" for name in METHOD_BY_METHOD)
        if page.is_file()
        for text in re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE)[1:]
        if re.search(r"^\* Source: ", text, re.MULTILINE)
    ]
    if len(sections) <= 60:
        yield f"docs/methods: only {len(sections)} methods were read"
    for page, text in sections:
        for word in ("formula|rule", "assum", "not ", "tested"):
            if not re.search(word, text, re.IGNORECASE):
                what = word.partition("|")[0].strip()
                yield f"docs/methods/{page.name}: “{text.splitlines()[0]}” doesn't say its {what}"


def glossary() -> Iterator[str]:
    """Terms without an explanation, with more or less than two sentences, or explained twice; words without a term."""
    terms = [term for section in pages_glossary.sections() for term in section.terms]
    slugs = [term.slug for term in terms]
    yield from (f"glossary: {slug} stands there twice" for slug in set(slugs) if slugs.count(slug) > 1)
    for term in terms:
        yield from (f"glossary: {term.slug}: {one}" for one in wrong_with_term(term))
    templates = [path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.html")]
    asked = {slug for text in templates for found in ASKED.findall(text) for slug in re.findall(r"[\w-]+", found)}
    asked |= {slug for shown in pages_glossary.SHOWN_WITH.values() for slug in shown}
    if len(asked) <= 15:
        yield "glossary: the words that templates ask for aren't found"
    yield from (f"glossary: a page asks for {slug}" for slug in asked - set(slugs))


def wrong_with_term(term: Term) -> Iterator[str]:
    """A meaning that isn't two sentences, or a heading that no page has."""
    if len(re.findall(r"[^.]*(?:\.\d[^.]*)*\.(?= |$)", term.meaning)) != 2:
        yield "its meaning is not two sentences"
    page = method_pages.document(term.doc)
    if not page.exists() or f"\n## {term.heading}\n" not in page.read_text("utf-8"):
        yield f"{page.relative_to(ROOT)} has no heading “{term.heading}”"
    found = method_pages.method_page(term.doc)
    if found is None or method_pages.anchor(term.heading) not in {anchor for anchor, _text in found.headings}:
        yield f"/methods/{term.doc}/ has no anchor for “{term.heading}”"


def register() -> Iterator[str]:
    """Findings of the security review: each must name existing tests, and docs/security.md hold the same figures."""
    page = (DOCS / "security.md").read_text("utf-8")
    if sorted(HELD, key=lambda name: int(name[1:])) != [f"S{n}" for n in range(1, 30)]:
        yield "tests/attacks/register.py: not the findings S1 to S29"
    for finding, held in HELD.items():
        for place in held.tests:
            file, _, name = place.partition("::")
            tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
            if name not in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}:
                yield f"tests/attacks/register.py: {finding}: there is no {place}"
        line = re.search(rf"^\| {finding} \|.*$", page, re.MULTILINE)
        if not line or held.before not in line.group() or held.after not in line.group():
            yield f"docs/security.md: not the line of {finding}"


CHECKS = (names, languages, the_map, navigation, methods, glossary, register)
