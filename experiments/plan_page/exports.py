"""The plan as a file: Markdown, printable HTML, or the registered text with its hash."""

from collections.abc import Iterable

from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.plan.register import preregistration
from experiments.plan_page.document import PlanSection, document_title, facts_line

FORMS = {"md": "text/markdown", "html": "text/html", "osf": "text/plain"}


def export(row: Experiment, parts: list[PlanSection], form: str) -> str:
    """The file's text.

    Args:
        row: the experiment.
        parts: its sections.
        form: one of `FORMS`.
    """
    if form == "html":
        context = {"row": row, "title": document_title(row), "facts": facts_line(row), "parts": parts}
        return render_to_string("experiments/plan_document/file.html", {**context, "language": get_language()})
    if form == "osf":
        text, sha256 = preregistration(row)
        return f"{text}SHA-256 of everything above this line: {sha256}\n"
    return "\n".join([f"# {_plain(document_title(row))}", "", facts_line(row), "", *_markdown(parts)])


def _markdown(parts: Iterable[PlanSection]) -> Iterable[str]:
    for part in parts:
        yield f"## {part.title}"
        yield ""
        for text in part.texts:
            yield from (_plain(text), "")
        if part.table is not None:
            yield from _table(part)
        for label, value in part.lines:
            yield f"- **{_plain(label)}**: {_plain(value)}"
        for item in part.items:
            yield f"- {_plain(item)}"
        if part.is_empty:
            yield _("Nothing is chosen yet.")
        yield ""


def _table(part: PlanSection) -> Iterable[str]:
    table = part.table
    if table is None:
        return
    yield "| " + " | ".join(_cell(name) for name in table.columns) + " |"
    yield "|" + " --- |" * len(table.columns)
    for row in table.rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"
    yield ""


def _plain(text: str) -> str:
    """One line of Markdown with entered text escaped, so that it adds no markup."""
    flat = " ".join(text.split())
    for mark in "\\`*_[]<>#|":
        flat = flat.replace(mark, f"\\{mark}")
    return flat


def _cell(text: str) -> str:
    return _plain(str(text))
