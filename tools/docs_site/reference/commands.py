"""Reference of `manage.py` commands, from their parsers: what `--help` prints."""

import argparse
from collections.abc import Iterator

from django.core.management import BaseCommand, get_commands, load_command_class

from tools.docs_site.reference.markdown import cell, code, made_of, table

APPS = ("insight_site", "launches", "experiments", "aha", "segments", "events", "runs")
# Options that Django gives every command.
COMMON = {"--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color"}
USAGE_WIDTH = 100


def pages() -> dict[str, str]:
    """One page with every command of ours, alphabetically."""
    names = sorted(name for name, app in get_commands().items() if app in APPS)
    parts = [
        "# Commands\n",
        made_of("what `manage.py COMMAND --help` prints"),
        "Every command runs as `.venv/bin/python manage.py COMMAND`, in the image as `manage.py COMMAND`. A mistake in what is "
        "asked ends with exit status 2 and one sentence. All take Django's own options too, such as `--traceback`.\n",
        *(_section(name) for name in names),
    ]
    return {"reference/commands.md": "\n".join(parts)}


def _section(name: str) -> str:
    command = load_command_class(get_commands()[name], name)
    parser = _parser(command, name)
    text = [f"## `{name}`\n", f"{command.help}\n" if command.help else ""]
    for verb, one in _verbs(name, parser):
        usage = one.format_usage().removeprefix("usage: ").strip()
        if verb != name:
            text.append(f"### `{verb}`\n")
        text += ["```text", usage, "```\n", table(("option", "meaning"), _rows(one))]
    return "\n".join(text)


def _parser(command: BaseCommand, name: str) -> argparse.ArgumentParser:
    command.suppressed_base_arguments = COMMON
    command.requires_system_checks = []  # else every command would show `--skip-checks`
    parser = command.create_parser("manage.py", name)
    parser.formatter_class = _formatter
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, width=USAGE_WIDTH)


def _verbs(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The parser itself, and that of each subcommand such as `metrics export`."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, inner in action.choices.items():
                inner.formatter_class = _formatter
                yield f"{name} {verb}", inner


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    formatter = argparse.HelpFormatter(parser.prog)
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        shown = formatter._format_action_invocation(action)
        meaning = formatter._expand_help(action) if action.help else ""
        if action.required and action.option_strings:
            meaning = f"{meaning} (required)".strip()
        if action.default not in (None, False, argparse.SUPPRESS, []) and "default" not in meaning:
            meaning = f"{meaning} (default {code(action.default)})".strip()
        yield code(shown), cell(meaning)
