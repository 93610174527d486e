"""The pages of a finished study, part by part: heading, finding, picture, table. Pure.

A part without its data has no picture either; `aha.report.charts` asks the same question before it draws.
"""

from aha.report import candidate_tables, findings, tables, words
from aha.report.series import judged_of, ranked
from aha.study.result import Candidate, Report
from reporting.table import Part
from reporting.words import gettext
from stats.results import computable


def cohort(report: Report) -> tuple[Part, ...]:
    """Who counts, how they stay, week by week."""
    note = gettext("Raising the plateau is what an AHA moment is for.")
    return (
        Part(
            "curve", gettext("How the cohort stays"), findings.curve(report.curve),
            tables.curves(report), picture=bool(report.curve.points), note=note,
        ),
        Part(
            "weeks", gettext("Does retention change from week to week?"), findings.weeks(report),
            tables.weeks(report), picture=bool(report.weeks),
        ),
    )  # fmt: skip


def model(report: Report) -> tuple[Part, ...]:
    """The ranking, or the reason why there is none."""
    rows = ranked(report)
    found = (
        Part(
            "ranking", gettext("Which behaviours tell who stays?"), findings.ranking(report),
            tables.ranking(report), picture=bool(rows), note=findings.skill(report),
        ),
    )  # fmt: skip
    if not rows or not computable(report.model) or not report.model.swarm:
        return found
    note = gettext(
        "Each dot is a user of a sample. Right: the model expects them to stay, left: to leave. Colour: how often they "
        "did it, compared with the other users."
    )
    heading = gettext("In which direction?")
    return (*found, Part("swarm", heading, findings.swarm(report), None, note=note))


def chance(report: Report) -> tuple[Part, ...]:
    """Both nulls and the negative controls."""
    table = tables.controls(report.controls)
    parts = [
        Part(
            "nulls", gettext("Is the best cell better than luck?"), findings.nulls(report),
            tables.nulls(report), picture=computable(report.luck) or computable(report.active),
            note=words.null_sentence(report.luck) if computable(report.luck) else "",
        )
    ]  # fmt: skip
    parts.append(
        Part(
            "controls", gettext("What does the method find where nothing is?"),
            findings.controls(report.controls), table, picture=False,
        )
    )  # fmt: skip
    return tuple(parts)


def slug_of(place: int, part: str) -> str:
    """The name of a candidate's picture: candidates are counted from 1."""
    return f"c{place + 1}-{part}"


def number(report: Report, candidate: Candidate, place: int) -> tuple[Part, ...]:
    """Why this number: A, B and C, the map, the front, the jump."""
    judged = judged_of(report, candidate.behaviour)
    dose = candidate_tables.dose(judged)
    return (
        Part(
            slug_of(place, "stack"), gettext("A, B and C by number of times"),
            findings.stack(report, candidate), candidate_tables.stack(report, candidate),
        ),
        Part(
            slug_of(place, "heat"), gettext("Every number of times and days"),
            findings.heat(report, candidate), candidate_tables.cells(report, candidate),
            note=words.choice_caption(),
        ),
        Part(
            slug_of(place, "pareto"), gettext("Precision against recall"), findings.pareto(candidate),
            None, note=gettext(
                "Each mark is a cell; the front is drawn through those with a reach of 5 to 80 % that no other beats "
                "in both. The numbers are in the table above."
            ),
        ),
        Part(
            slug_of(place, "dose"), gettext("Does retention jump?"), findings.dose(report, candidate), dose,
            picture=dose is not None,
        ),
    )  # fmt: skip


def evidence(report: Report, candidate: Candidate, place: int) -> tuple[Part, ...]:
    """What is left of it, and where it holds."""
    parts = [
        Part(
            slug_of(place, "ladder"), gettext("What is left when more is held equal?"),
            findings.ladder(candidate), candidate_tables.ladder(candidate),
            picture=any(computable(rung.difference) for rung in candidate.ladder.rungs),
            note=" ".join((findings.ladder_caution(), findings.overlap(candidate))).strip(),
        ),
        Part(
            slug_of(place, "honesty"), gettext("Does it hold elsewhere?"), findings.honesty(candidate),
            candidate_tables.honesty(candidate), picture=False,
        ),
        Part(
            slug_of(place, "weeks"), gettext("Does it hold week by week?"), findings.reach_by_week(candidate),
            candidate_tables.by_week(candidate), picture=bool(candidate.by_week),
        ),
    ]  # fmt: skip
    if candidate.by_segment:
        parts.append(
            Part(
                slug_of(place, "segments"), gettext("Does it hold in every segment?"),
                findings.segments(candidate), candidate_tables.by_segment(candidate),
            )
        )  # fmt: skip
    return tuple(parts)


def pictures(report: Report) -> dict[str, str]:
    """Slug and finding of every picture that this report has."""
    parts = [*cohort(report), *model(report), *chance(report)]
    for place, candidate in enumerate(report.candidates):
        parts += number(report, candidate, place)
        parts += evidence(report, candidate, place)
    return {part.slug: part.finding for part in parts if part.picture}
