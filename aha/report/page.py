"""The pages of a finished study, part by part: heading, finding, picture, table. Pure.

A part without its data has no picture either; `aha.report.charts` asks the same question before it draws.
"""

from aha.report import candidate_tables, findings, tables, words
from aha.report.series import judged_of, ranked
from aha.study.result import Candidate, Report
from reporting.table import Part
from reporting.words import Gettext
from stats.results import computable


def cohort(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """Who counts, how they stay, week by week."""
    note = gettext("Raising the plateau is what an AHA moment is for.")
    return (
        Part(
            "curve", gettext("How the cohort stays"), findings.curve(report.curve, gettext),
            tables.curves(report, gettext), picture=bool(report.curve.points), note=note,
        ),
        Part(
            "weeks", gettext("Does retention change from week to week?"), findings.weeks(report, gettext),
            tables.weeks(report, gettext), picture=bool(report.weeks),
        ),
    )  # fmt: skip


def model(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """The ranking, or the reason why there is none."""
    rows = ranked(report)
    found = (
        Part(
            "ranking", gettext("Which behaviours tell who stays?"), findings.ranking(report, gettext),
            tables.ranking(report, gettext), picture=bool(rows), note=findings.skill(report, gettext),
        ),
    )  # fmt: skip
    if not rows or not computable(report.model) or not report.model.swarm:
        return found
    note = gettext(
        "Each dot is a user of a sample. Right: the model expects them to stay, left: to leave. Colour: how often they "
        "did it, compared with the other users."
    )
    heading = gettext("In which direction?")
    return (*found, Part("swarm", heading, findings.swarm(report, gettext), None, note=note))


def chance(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """Both nulls and the negative controls."""
    table = tables.controls(report.controls, gettext)
    parts = [
        Part(
            "nulls", gettext("Is the best cell better than luck?"), findings.nulls(report, gettext),
            tables.nulls(report, gettext), picture=computable(report.luck) or computable(report.active),
            note=words.null_sentence(report.luck, gettext) if computable(report.luck) else "",
        )
    ]  # fmt: skip
    parts.append(
        Part(
            "controls", gettext("What does the method find where nothing is?"),
            findings.controls(report.controls, gettext), table, picture=False,
        )
    )  # fmt: skip
    return tuple(parts)


def slug_of(place: int, part: str) -> str:
    """The name of a candidate's picture: candidates are counted from 1."""
    return f"c{place + 1}-{part}"


def number(report: Report, candidate: Candidate, place: int, gettext: Gettext) -> tuple[Part, ...]:
    """Why this number: A, B and C, the map, the front, the jump."""
    judged = judged_of(report, candidate.behaviour)
    dose = candidate_tables.dose(judged, gettext)
    return (
        Part(
            slug_of(place, "stack"), gettext("A, B and C by number of times"),
            findings.stack(report, candidate, gettext), candidate_tables.stack(report, candidate, gettext),
        ),
        Part(
            slug_of(place, "heat"), gettext("Every number of times and days"),
            findings.heat(report, candidate, gettext), candidate_tables.cells(report, candidate, gettext),
            note=words.choice_caption(gettext),
        ),
        Part(
            slug_of(place, "pareto"), gettext("Precision against recall"), findings.pareto(candidate, gettext),
            None, note=gettext(
                "Each mark is a cell; the front is drawn through those with a reach of 5 to 80 % that no other beats "
                "in both. The numbers are in the table above."
            ),
        ),
        Part(
            slug_of(place, "dose"), gettext("Does retention jump?"), findings.dose(report, candidate, gettext), dose,
            picture=dose is not None,
        ),
    )  # fmt: skip


def evidence(report: Report, candidate: Candidate, place: int, gettext: Gettext) -> tuple[Part, ...]:
    """What is left of it, and where it holds."""
    parts = [
        Part(
            slug_of(place, "ladder"), gettext("What is left when more is held equal?"),
            findings.ladder(candidate, gettext), candidate_tables.ladder(candidate, gettext),
            picture=any(computable(rung.difference) for rung in candidate.ladder.rungs),
            note=" ".join((findings.ladder_caution(gettext), findings.overlap(candidate, gettext))).strip(),
        ),
        Part(
            slug_of(place, "honesty"), gettext("Does it hold elsewhere?"), findings.honesty(candidate, gettext),
            candidate_tables.honesty(candidate, gettext), picture=False,
        ),
        Part(
            slug_of(place, "weeks"), gettext("Does it hold week by week?"), findings.reach_by_week(candidate, gettext),
            candidate_tables.by_week(candidate, gettext), picture=bool(candidate.by_week),
        ),
    ]  # fmt: skip
    if candidate.by_segment:
        parts.append(
            Part(
                slug_of(place, "segments"), gettext("Does it hold in every segment?"),
                findings.segments(candidate, gettext), candidate_tables.by_segment(candidate, gettext),
            )
        )  # fmt: skip
    return tuple(parts)


def pictures(report: Report, gettext: Gettext) -> dict[str, str]:
    """Slug and finding of every picture that this report has."""
    parts = [*cohort(report, gettext), *model(report, gettext), *chance(report, gettext)]
    for place, candidate in enumerate(report.candidates):
        parts += number(report, candidate, place, gettext)
        parts += evidence(report, candidate, place, gettext)
    return {part.slug: part.finding for part in parts if part.picture}
