"""The report's sections on readouts made by the engine: what is said first, what is locked, what is struck out."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from rich.console import Console

from experiments.analyse.codes import LIGHTS, SIGNS, Code
from experiments.analyse.read_out import read_out
from experiments.analyse.result import Readout
from experiments.analyse.verdict import Verdict
from experiments.management.commands import analyze
from experiments.plan.planned import Amended
from experiments.plan.record import Claim
from experiments.report import first_lines, looks, page, stored_document
from experiments.report.behaviour.take_up import first_stage
from experiments.report.first_lines import opening
from experiments.report.names import metric_sentence, metric_words, worded
from experiments.report.promise_and_finding import contrasts, promise, promise_finding
from stats.results import computable
from tests.experiments.make_answers import draw_units, make_answers, make_cells, make_plan
from tests.experiments.make_readout import CLEAN, RUNNING, TODAY, broken, make_readout, stored


def same(text: str) -> str:
    return text


def slugs(readout: Readout) -> list[str]:
    return [section.slug for section in page.sections(readout)]


def every_text(readout: Readout) -> str:
    """Everything that the page says, as one text."""
    parts = [part for section in page.sections(readout) for part in section.parts]
    rows = [cell for part in parts if part.table for row in part.table.rows for cell in row]
    return " ".join([*(part.finding + part.note for part in parts), *rows])


# ── First lines ───────────────────────────────────────────────────────────────
def test_opening__of_a_final_gain__says_verdict_and_estimand_without_alarms() -> None:
    found = opening(make_readout())

    assert (found.code, found.light, found.alarms) == ("CAUSES", "good", ())
    assert "causes a gain" in found.sentence
    assert "retention on days 21–27" in found.sentence
    assert "only if nudged" in found.estimand
    assert "3 friends" in found.estimand
    assert found.known == ()


def test_opening__without_a_moment__asks_about_the_nudge() -> None:
    found = opening(make_readout(claim=None))

    assert "being given nudge rather than control" in found.estimand


def test_opening__of_a_peek__alarms_before_the_verdict() -> None:
    found = opening(make_readout(peek=True, **RUNNING))

    assert len(found.alarms) == 1
    assert found.alarms[0].startswith("Peeked: a person asked to see the outcome when 20.0\u00a0%")


def test_opening__of_broken_data__alarms_and_strikes_out_every_number() -> None:
    readout = broken()

    assert opening(readout).code == "INVALID"
    assert opening(readout).alarms[0].startswith("These data are broken.")
    assert all(row.struck for row in contrasts(readout))


def test_opening__while_locked__tells_progress_take_up_and_the_day() -> None:
    readout = make_readout(**RUNNING)
    found = opening(readout)

    assert (found.code, found.light) == (first_lines.PENDING, "")
    assert "The outcome is locked" in found.sentence
    assert "4,000 units have met their variant" in found.known[0]
    assert found.known[1] == f"As planned it opens on {readout.standing.opens_on}."
    assert "moves" in found.known[2]


def test_opening__while_locked__tells_whether_a_guardrail_alarms() -> None:
    units = draw_units(4_000)
    cells = make_cells(units, outcomes=("window:21-27", "on_day:1"))
    readout = read_out(
        make_plan(**RUNNING, guardrails=("on_day:1",)), make_answers(units, cells=cells), CLEAN, today=TODAY
    )

    assert opening(readout).known[-1] == "1 guardrail alarms among 1 guardrails: see the health of the data."
    quiet = replace(readout, health=())
    assert opening(quiet).known[-1] == "None of the 1 guardrails alarms."


@pytest.mark.parametrize("code", list(Code))
def test_every_verdict__has_light_and_sign(code: Code) -> None:
    assert LIGHTS[code] in ("good", "bad", "warn")
    assert SIGNS[code]


# ── What is locked ────────────────────────────────────────────────────────────
def test_sections__while_locked__hold_nothing_of_the_outcome() -> None:
    readout = make_readout(**RUNNING)

    assert slugs(readout) == ["plan", "units", "acts"]
    assert promise(readout) is None
    assert contrasts(readout) == ()
    assert promise_finding(readout) == ""
    assert [drawing.slug for drawing in page.draw(readout)] == ["inflow"]


def test_sections__of_an_open_outcome__come_in_the_order_of_the_brief() -> None:
    expected = ["plan", "units", "direct", "time", "segments", "validity", "acts", "path", "outcomes", "bayes"]

    assert slugs(make_readout()) == expected


def test_sections__without_a_moment__have_no_behaviour() -> None:
    readout = make_readout(claim=None)

    assert "validity" not in slugs(readout)
    assert "acts" not in slugs(readout)
    assert [row.label for row in contrasts(readout)] == ["Effect of the nudge on everyone"]
    assert promise_finding(readout).startswith("Effect of nudge on retention on days 21–27: ")


# ── Promise and finding ───────────────────────────────────────────────────────
def test_contrasts__of_a_gain__strike_out_who_chose_and_keep_what_chance_chose() -> None:
    rows = contrasts(make_readout())

    assert [(row.label, row.struck) for row in rows] == [
        ("Promised by the correlation", True),
        ("As treated", True),
        ("Per protocol", True),
        ("Effect of the nudge on everyone", False),
        ("Effect of the behaviour on those moved", False),
    ]
    assert rows[0].text == "40.0 points"
    assert rows[0].limits == "38.0\u00a0…\u00a042.0 points"
    assert all(row.low is not None and row.high is not None and row.low < row.high for row in (rows[0], *rows[3:]))


def test_promise__of_another_outcome__is_compared_with_care() -> None:
    part = promise(make_readout(primary=("window:21-27",)))
    readout = make_readout()
    claim = readout.plan.claim
    assert claim is not None
    other = replace(readout, plan=replace(readout.plan, claim=replace(claim, retention="on_day:1")))
    careful = promise(other)

    assert part is not None
    assert careful is not None
    assert "compare with care" not in part.note
    assert "compare with care" in careful.note


def test_promise_finding__when_the_nudge_works_on_another_path__gives_no_effect_of_the_behaviour() -> None:
    readout = make_readout()
    assert readout.report is not None
    verdict = Verdict(Code.NUDGE_NOT_BEHAVIOUR, "inequality", dict(readout.report.verdict.details))
    other = replace(readout, verdict=verdict, report=replace(readout.report, verdict=verdict))

    assert "the experiment found" in promise_finding(readout)
    assert "may not be read as what the behaviour does" in promise_finding(other)
    assert [row.struck for row in contrasts(other)] == [True, True, True, False, True]


# ── Plan, segments, looks ─────────────────────────────────────────────────────
def test_plan__kept_amended_or_changed__says_so() -> None:
    amended = Amended(date(2026, 1, 9), "ann", "slow inflow", {"planned_units": ("1000", "2000")})

    def lead(readout: Readout) -> str:
        return page.sections(readout)[0].lead

    assert lead(make_readout()).startswith("The plan was kept")
    changed = make_readout(amendments=(amended,))
    assert lead(changed).startswith("The plan was amended 1 times")
    assert "slow inflow" in every_text(changed)
    assert lead(make_readout(intact=False)).startswith("The plan was not kept")


def test_segments__say_the_interaction_test_before_any_segment() -> None:
    section = next(one for one in page.sections(make_readout()) if one.slug == "segments")

    assert "interaction test p" in section.lead
    table = section.parts[0].table
    assert table is not None
    assert [row[0] for row in table.rows] == [
        "new", "old", "All segments, pooled", "All segments, by their size",
    ]  # fmt: skip
    assert table.columns[-2:] == ("shrunk towards the mean", "weight of its own data")


def test_path__of_a_peek__says_that_nobody_paid_for_it() -> None:
    assert looks.path_finding(make_readout()).startswith("One look at the end, as planned")
    peeked = looks.path_finding(make_readout(peek=True, **RUNNING))
    assert peeked == "Looks: 1. Peeks among them, for which the plan didn't pay: 1."


def test_beliefs__say_that_they_never_enter_the_verdict() -> None:
    section = next(one for one in page.sections(make_readout()) if one.slug == "bayes")

    assert "never enter the verdict" in section.lead
    assert "don't make peeking harmless" in section.lead


# ── Pictures and document ─────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "make",
    [make_readout, broken, lambda: make_readout(claim=None), lambda: make_readout(peek=True, **RUNNING)],
    ids=["final", "broken", "no moment", "peeked"],
)
def test_pictures__are_drawn_for_exactly_the_parts_that_have_one(make: Callable[[], Readout]) -> None:
    readout = make()
    found = {drawing.slug: drawing for drawing in page.draw(readout)}

    assert list(found) == [part.slug for part in page.parts(readout) if part.picture]
    assert all(one.marks > 0 and one.label for one in found.values())


def test_picture_of_promise__says_the_finding_and_marks_what_is_no_effect() -> None:
    readout = make_readout()
    drawing = next(one for one in page.draw(readout) if one.slug == "promise")
    rows = next(iter(drawing.spec["datasets"].values())) if "datasets" in drawing.spec else []
    text = str(drawing.spec)

    assert drawing.label == promise_finding(readout)
    assert text.count("'not an effect'") >= 3
    assert isinstance(rows, list)


def test_document__keeps_sentences_and_numbers_and_locks_with_the_page() -> None:
    found = stored_document.document(make_readout())

    assert found["verdict"]["code"] == "CAUSES"
    assert found["finding"] == promise_finding(make_readout())
    assert [row["causal"] for row in found["contrasts"]] == [False, False, False, True, True]
    locked = stored_document.document(make_readout(**RUNNING))
    assert (locked["verdict"], locked["contrasts"], locked["report"]) == (None, [], None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("window:21-27", "retention on days 21–27"),
        ("on_day:7", "retention on day 7"),
        ("unbounded:14", "retention from day 14 on"),
        ("min_days:14-20:2", "retention (2 days of 14–20)"),
        ("count:friend_add:0-6", "count:friend_add:0-6"),
        ("no metric", "no metric"),
    ],
)
def test_metric_words__name_retention_and_keep_the_rest(text: str, words: str) -> None:
    assert metric_words(text) == words


def test_worded__keeps_texts_apart_that_would_be_called_alike() -> None:
    report = make_readout().report
    assert report is not None
    twin = replace(report.outcomes[0], name="week:4")
    alike = worded(replace(report, outcomes=(replace(twin, name="window:22-28"), twin)))

    assert [outcome.name for outcome in alike.outcomes] == ["window:22-28", "week:4"]


def test_first_stage_table__gives_take_up_of_every_segment() -> None:
    readout = make_readout()
    table = first_stage(readout).table

    assert table is not None
    assert [row[1] for row in table.rows] == ["all units", "new", "old"]
    take_up = readout.first_stage[0].take_up
    assert computable(take_up)
    assert table.rows[0][2] == f"{take_up.control * 100:.1f}\u00a0%"


def test_korean__leaves_no_placeholder_open() -> None:
    with translation.override("ko"):
        found: list[Any] = [opening(make_readout()), *page.sections(make_readout())]

    assert "{" not in str([one for one in found if isinstance(one, first_lines.Opening)])
    assert "{" not in " ".join(section.lead + section.title for section in found[1:])


# ── Names ─────────────────────────────────────────────────────────────────────
SPEC = "level_up\\[mode\\=hard\\]"


def of_escaped_names() -> Readout:
    """A moment and outcomes of an event called `level_up[mode=hard]`; its moment was named by version 0.3."""
    claim = Claim("hard", f"{SPEC} ≥ 3 within 7 days", SPEC, 3, 7, "window:21-27", 0.4, 0.38, 0.42)
    outcomes = ("window:21-27", f"min_events:{SPEC}:21-27:1", f"count:{SPEC}:21-27")
    made = Amended(date(2026, 1, 9), "ann", "Typing", {"guardrail_metrics": (outcomes[2], outcomes[1])})
    units = draw_units(4_000)
    plan = make_plan(
        claim=claim, primary=outcomes[:1], secondary=outcomes[1:2], guardrails=outcomes[2:], amendments=(made,)
    )
    answers = make_answers(units, cells=make_cells(units, outcomes=outcomes))
    return read_out(plan, answers, CLEAN, peek=False, earlier=(), today=TODAY)


def test_every_text__escaped_name__is_read_without_backslashes() -> None:
    readout = of_escaped_names()

    drawn = json.dumps([row.spec for row in page.draw(readout)], ensure_ascii=False)
    headings = " ".join(part.table.title for section in page.sections(readout) for part in section.parts if part.table)
    first = opening(readout)
    texts = [
        first.sentence, first.estimand, every_text(readout), headings, drawn, promise_finding(readout),
        *(row.label + row.text for row in contrasts(readout)), str(first_lines.health(readout)),
        *(metric_sentence(name) for name in readout.plan.outcomes),
    ]  # fmt: skip

    assert "level_up[mode=hard] ≥ 3 within 7 days causes a gain" in first.sentence
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


@pytest.mark.django_db
def test_page__escaped_name__is_read_without_backslashes(admin_client: Client) -> None:
    stored("hard", of_escaped_names())

    html = admin_client.get("/experiments/hard/").content.decode()

    assert "level_up[mode=hard] ≥ 3 within 7 days" in html
    assert "level_up\\" not in re.sub(r"<[^>]*>", " ", html)
