"""The report's sections on readouts made by the engine: what is said first, what is locked, what is struck out."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from rich.console import Console

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.result import AnalysisResult
from experiments.management.commands import analyze
from experiments.plan.analysed import Amended
from experiments.plan.record import Claim
from experiments.report import first_lines, page, stored_document
from experiments.report.first_lines import opening
from experiments.report.names import metric_sentence
from experiments.report.promise_and_finding import contrasts, promise, promise_finding
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import CLEAN, RUNNING, TODAY, broken, make_readout, make_result, stored


def slugs(readout: AnalysisResult) -> list[str]:
    return [section.slug for section in page.sections(readout)]


def every_text(readout: AnalysisResult) -> str:
    """Everything that the page says, as one text."""
    parts = [part for section in page.sections(readout) for part in section.parts]
    rows = [cell for part in parts if part.table for row in part.table.rows for cell in row]
    return " ".join([*(part.finding + part.note for part in parts), *rows])


def test_sections__while_locked__hold_nothing_of_the_outcome() -> None:
    readout = make_result(**RUNNING)

    assert slugs(readout) == ["decision", "plan", "units", "acts"]
    assert promise(readout) is None
    assert contrasts(readout) == ()
    assert promise_finding(readout) == ""
    assert [drawing.slug for drawing in page.draw(readout)] == ["inflow"]


def test_sections__of_an_open_outcome__come_in_the_order_of_the_brief() -> None:
    behaviour = ["validity", "for-whom", "acts"]
    expected = ["decision", "plan", "units", "direct", "time", "segments", *behaviour, "path", "outcomes", "bayes"]

    assert slugs(make_readout()) == expected


def test_sections__without_a_moment__have_no_behaviour() -> None:
    readout = make_readout(claim=None)

    assert "validity" not in slugs(readout)
    assert "acts" not in slugs(readout)
    assert [row.label for row in contrasts(readout)] == ["Effect of the nudge on everyone"]
    assert promise_finding(readout).startswith("Effect of nudge on retention on days 21–27: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [make_readout, broken, lambda: make_readout(claim=None), lambda: make_readout(peek=True, **RUNNING)],
    ids=["final", "broken", "no moment", "peeked"],
)
def test_pictures__are_drawn_for_exactly_the_parts_that_have_one(make: Callable[[], AnalysisResult]) -> None:
    readout = make()
    found = {drawing.slug: drawing for drawing in page.draw(readout)}

    assert list(found) == [part.slug for part in page.parts(readout) if part.picture]
    assert all(one.marks > 0 and one.label for one in found.values())


@pytest.mark.slow
def test_page__loaded__loads_no_altair_until_a_part_draws() -> None:
    script = "import sys, experiments.report.page; print('altair' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_document__keeps_sentences_and_numbers_and_locks_with_the_page() -> None:
    found = stored_document.document(make_readout())

    assert found["verdict"]["code"] == "CAUSES"
    assert found["finding"] == promise_finding(make_readout())
    assert [row["causal"] for row in found["contrasts"]] == [False, False, False, True, True]
    locked = stored_document.document(make_result(**RUNNING))
    assert (locked["verdict"], locked["contrasts"], locked["report"]) == (None, [], None)


def test_korean__leaves_no_placeholder_open() -> None:
    with translation.override("ko"):
        found: list[Any] = [opening(make_readout()), *page.sections(make_readout())]

    assert "{" not in str([one for one in found if isinstance(one, first_lines.Opening)])
    assert "{" not in " ".join(section.lead + section.title for section in found[1:])


SPEC = "level_up\\[mode\\=hard\\]"


def of_escaped_names() -> AnalysisResult:
    """A moment and outcomes of an event called `level_up[mode=hard]`; its moment was named by version 0.3."""
    claim = Claim("hard", f"{SPEC} ≥ 3 within 7 days", SPEC, 3, 7, "window:21-27", 0.4, 0.38, 0.42)
    outcomes = ("window:21-27", f"min_events:{SPEC}:21-27:1", f"count:{SPEC}:21-27")
    made = Amended(date(2026, 1, 9), "ann", "Typing", {"guardrail_metrics": (outcomes[2], outcomes[1])})
    units = draw_units(4_000)
    plan = make_analysed(
        claim=claim, primary=outcomes[:1], secondary=outcomes[1:2], guardrails=outcomes[2:], amendments=(made,)
    )
    answers = make_answers(units, cells=make_cells(units, outcomes=outcomes))
    return analyse_answers(plan, answers, CLEAN, peek=False, earlier=(), today=TODAY)


@pytest.mark.slow
def test_every_text__escaped_name__is_read_without_backslashes() -> None:
    readout = of_escaped_names()

    drawn = json.dumps([row.spec for row in page.draw(readout)], ensure_ascii=False)
    headings = " ".join(part.table.title for section in page.sections(readout) for part in section.parts if part.table)
    first = opening(readout)
    texts = [
        first.sentence,
        first.estimand,
        every_text(readout),
        headings,
        drawn,
        promise_finding(readout),
        *(row.label + row.text for row in contrasts(readout)),
        str(first_lines.health(readout)),
        *(metric_sentence(name) for name in readout.plan.outcomes),
    ]

    assert "level_up[mode=hard] ≥ 3 within 7 days raises retention" in first.sentence
    assert "count:level_up[mode=hard]:21-27" in every_text(readout)
    assert [text for text in texts if "\\[" in text or "\\=" in text] == []


def test_terminal__escaped_name__is_read_without_backslashes() -> None:
    out = Console(file=StringIO(), width=400)

    analyze._print(of_escaped_names(), out)

    shown = out.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    assert "level_up[mode=hard] ≥ 3 within 7 days" in shown
    assert "count:level_up[mode=hard]:21-27" in shown
    assert "level_up\\" not in shown


def test_document__escaped_name__sentences_are_for_people_and_names_parse_back() -> None:
    readout = of_escaped_names()
    document = stored_document.document(readout)

    assert "level_up\\" not in document["verdict"]["reason"]
    assert "level_up\\" not in document["estimand"]
    assert document["report"]["outcomes"][2]["name"] == f"count:{SPEC}:21-27"
    assert document["plan"]["claim"]["behaviour"] == SPEC


@pytest.mark.slow
@pytest.mark.django_db
def test_page__escaped_name__is_read_without_backslashes(admin_client: Client) -> None:
    stored("hard", of_escaped_names())

    html = admin_client.get("/experiments/hard/").content.decode()

    assert "level_up[mode=hard] ≥ 3 within 7 days" in html
    assert "level_up\\" not in re.sub(r"<[^>]*>", " ", html)
