"""What the documentation names exists: files, modules, tests, links, commands with their options, targets of make."""

import argparse
import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parent.parent
DOCS = [ROOT / "README.md", ROOT / "README.ko.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
APPS = ("insight_site", "experiments", "aha", "segments", "events", "runs", "reporting", "stats", "tools", "benchmarks")
FOLDERS = (*APPS, "docs", "templates", "tests")
FILES = [*ROOT.iterdir(), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*"))]
NAMES = {path.name for path in FILES}
TESTS = set(
    re.findall(r"def (test_\w+)", "".join(p.read_text("utf-8") for p in FILES if re.fullmatch(r"test_\w+\.py", p.name)))
)
QUOTED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w./-]+\.(?:py|md|html|toml|m?js)\b")
PAGES = pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))


@PAGES
def test_page__files_and_modules_it_names__exist(page: Path) -> None:
    absent, text = [], page.read_text("utf-8")
    names = NAMES | set(re.findall(r'^```\w+ title="([^"]+)"$', text, re.MULTILINE))  # a tutorial has it written
    for quoted in QUOTED.findall(text):
        if quoted.startswith("var/"):  # what a command makes
            continue
        if file := FILE.match(quoted):
            name = file.group()
            absent += [quoted] if not ((ROOT / name).exists() if "/" in name else name in names) else []
        elif re.fullmatch(rf"({'|'.join(APPS)})([./]\w+)+/?", quoted) and not quoted.endswith(
            (".parquet", ".json", ".jsonl")
        ):
            absent += [quoted] if not _is_module(quoted.strip("/").replace("/", ".")) else []

    assert absent == []


@PAGES
def test_page__tests_it_names__exist(page: Path) -> None:
    named = re.findall(r"\b(test_\w+?__\w+)(\.\.\.|…)?", page.read_text("utf-8"))

    assert [name for name, cut in named if not (cut or name.endswith("__") or name in TESTS)] == []
    assert [name for name, cut in named if not any(test.startswith(name) for test in TESTS)] == []


@PAGES
def test_page__its_links_inside_the_repository__lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [link for link in links if not ((page.parent / link).exists() or _is_made(page.parent / link))] == []


@PAGES
def test_page__commands_and_options_it_names__exist(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    ours = {name for name, app in get_commands().items() if app in APPS}
    calls = re.findall(r"manage\.py (\w+)([^\n`]*)", text)
    calls += [(name, rest) for name, rest in re.findall(r"`(\w+)( [^\n`]*)`", text) if name in ours]

    unknown = [name for name, _ in calls if name not in get_commands() and name != "NAME"]
    assert unknown == []
    assert [
        (name, option)
        for name, rest in calls
        if name in ours
        for option in re.findall(r"(?<!\w)--[a-z][\w-]*", rest)
        if option not in _options(name)
    ] == []


@PAGES
def test_page__targets_of_make_it_names__exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    named = re.findall(r"(?:`|^(?=.*#))make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)

    assert set(named) - targets == set()


def _is_made(target: Path) -> bool:
    """A page or picture that the documentation site makes of the code; its own check tries links to these."""
    return target.resolve().is_relative_to(ROOT / "docs" / "reference")


def test_readme__both_languages__share_their_blocks() -> None:
    english, korean = (
        re.findall(r"^```.*?^```$", (ROOT / name).read_text("utf-8"), re.DOTALL | re.MULTILINE)
        for name in ("README.md", "README.ko.md")
    )

    assert len(english) > 10
    assert english == korean


def _is_module(dotted: str) -> bool:
    """A package, a module, or a name that stands in a module."""
    path = ROOT / dotted.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module, name = path.parent.with_suffix(".py"), path.name
    return module.is_file() and re.search(rf"\b{name}\b", module.read_text("utf-8")) is not None


def _options(command: str) -> set[str]:
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    # A command of several verbs, such as `metrics export`, has a parser for each of them.
    verbs = [one.choices.values() for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    parsers = [parser, *(verb for group in verbs for verb in group)]
    return {option for one in parsers for option in one._option_string_actions}
