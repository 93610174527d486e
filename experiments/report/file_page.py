"""The report of a finished test from a file: the first screen of a planned experiment, then its parts. Pure.

A file has no plan, no dates and no guardrails. The first screen says so where a planned experiment would show them.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial

from experiments.analyse.codes import LIGHTS, SIGNS, Code, Severity
from experiments.analyse.effects import Comparison, OutcomeReport, Report, leading
from experiments.analyse.payload_versions import RULES
from experiments.analyse.result import Flow, Maturity, Opened, State
from experiments.analyse.verdict import WHOLE_CLUSTERS
from experiments.plan.analysed import Analysed, History
from experiments.plan.design import Kind
from experiments.plan.record import Claim, Plan, PlannedVariant
from experiments.report import behaviour, direct_effect, outcomes, segments, targeting
from experiments.report.first_lines import Opening, named_verdict
from experiments.report.flow import flow_of_file
from experiments.report.health import finding_sentence, severity_words
from experiments.report.names import metric_words, versus, worded
from experiments.report.summary import Fact, Summary, summary
from experiments.report.verdict import verdict_sentence, warning_sentence
from reporting.charts import Drawing, Drawn
from reporting.numbers import count
from reporting.table import Part, Section, Table, drawings
from reporting.words import gettext
from stats.results import computable

NO_DAY = date(1970, 1, 1)  # a file doesn't say when; nothing here shows it


# ── The first screen ──────────────────────────────────────────────────────────
def first_screen(report: Report) -> Summary:
    """The first screen of the report, in the words of a planned experiment's."""
    found = summary(_as_opened(report))
    proved = report.verdict.code in (Code.CAUSES, Code.HARMS)
    if proved and report.design.behaviour is None:  # a file doesn't show who drew the groups
        found = replace(found, answer=gettext("Yes, if chance decided who got it."))
    facts = [replace(fact, tab="segments") for fact in found.facts if fact.title == gettext("Segments")]
    return replace(
        found,
        basis=gettext("Result of a file, without a registered plan"),
        quality=tuple(_quality(report)),
        facts=(*facts, Fact(gettext("Plan"), _no_plan(), ""), Fact(gettext("Next"), _next(report), "")),
    )


def opening(report: Report) -> Opening:
    """Verdict and question in full, and an alarm about broken data."""
    verdict = named_verdict(_as_opened(report)) or report.verdict
    broken = gettext("These data are broken. Nothing below may be read as an effect.")
    return Opening(
        alarms=(broken,) if verdict.code is Code.INVALID else (),
        code=str(verdict.code),
        sign=SIGNS[verdict.code],
        heading=verdict.heading,
        light=LIGHTS[verdict.code],
        sentence=verdict_sentence(verdict),
        estimand=_question(report),
        known=(),
    )


def health(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Light, word and sentence of every finding about the data, the gravest first."""
    lights = {"error": "bad", "warning": "warn", "info": ""}
    return tuple(
        (lights[str(one.severity)], severity_words(one.severity), finding_sentence(one)) for one in report.health
    )


def _quality(report: Report) -> Iterator[str]:
    yield report.source
    yield gettext("{n} users").format(n=count(sum(report.units.values())))
    left_out = sum(report.excluded.values())
    if left_out:
        yield gettext("{n} left out").format(n=count(left_out))
    errors = sum(one.severity is Severity.ERROR for one in report.health)
    warnings = sum(one.severity is Severity.WARNING for one in report.health)
    if errors:
        yield gettext("data broken")
    elif warnings:
        text = gettext("1 warning about the data") if warnings == 1 else gettext("{n} warnings about the data")
        yield text.format(n=warnings)
    else:
        yield gettext("data quality good")


def _no_plan() -> str:
    return gettext("A file has none. Only you know whether chance drew the groups, and what was agreed before.")


def _next(report: Report) -> str:
    code = report.verdict.code
    if code is Code.INVALID:
        return gettext("Find the cause, mend it, and start a new test.")
    if report.design.behaviour is None:
        return gettext("Name the column of the behaviour, and the test can be evidence on it.")
    return gettext("Add it to past experiments: evidence on the behaviour adds up.")


def _question(report: Report) -> str:
    design = report.design
    outcome = metric_words(design.outcomes[0])
    if design.behaviour is None:
        text = gettext("Question: does {variants} instead of {control} change {outcome}?")
        return text.format(variants=", ".join(list(report.units)[1:]), control=design.control, outcome=outcome)
    text = gettext("Question: does “{behaviour}” change {outcome} for users who do it only if nudged?")
    return text.format(behaviour=metric_words(design.behaviour), outcome=outcome)


def _as_opened(report: Report) -> Opened:
    """The report as the result of a plan that says no more than the file: for the words of the first screen."""
    design, units = report.design, dict(report.units)
    arms = [PlannedVariant(arm, arm, 0, "placebo" if arm == design.placebo else "nudge") for arm in units]
    claim = None
    if design.behaviour is not None:
        claim = Claim("", design.behaviour, design.behaviour, 1, 1, design.outcomes[0])
    whole = any(_whole_clusters(row) for row in report.outcomes[0].comparisons)
    plan = Plan(
        key="",
        flag="",
        hypothesis="",
        variants=tuple(arms),
        value_type="string",
        default="",
        primary=design.outcomes[:1],
        planned_units=None,
        planned_end=None,
        smallest_effect=design.margin,
        claim=claim,
        alpha=design.alpha,
        cluster=(design.cluster or "") if whole else "",
    )
    return Opened(
        analysed=Analysed(plan, History(NO_DAY)),
        maturity=Maturity(State.OPEN, "ended", None, True, False, 1.0, units, units),
        flow=Flow(units, 0, {}, 0, {}, ()),
        sample_ratio=report.sample_ratio,
        health=report.health,
        first_stage=(),
        verdict=report.verdict,
        path=(),
        data_end=NO_DAY.isoformat() + "T00:00:00+00:00",
        time_zone="UTC",
        events=report.rows,
        seed=0,
        rules=RULES,
        report=report,
        beliefs=(),
        shrunk=(),
        through=(),
        by_times=(),
        dose=None,
        arms_over_time=(),
        over_time=(),
    )


def _whole_clusters(row: Comparison) -> bool:
    return row.encouragement is not None and WHOLE_CLUSTERS in row.encouragement.warnings


# ── The parts ─────────────────────────────────────────────────────────────────
def sections(report: Report) -> tuple[Section, ...]:
    """What stands below the first screen, in order; empty sections are left out."""
    shown = worded(report, None)
    flow = flow_of_file(shown)
    found = (
        direct_effect.of_report(shown),
        _segments(shown),
        _behaviour(shown),
        targeting.of_report(shown),
        _outcomes(shown),
        Section("units", gettext("Sample flow"), "", (Part("flow", flow.title, "", flow),)),
    )
    return tuple(section for section in found if section.parts)


def draw(report: Report, slug: str = "") -> tuple[Drawing, ...]:
    """All charts of the page, or one; the app's kind of run refers to this function by name."""
    return drawings((part for section in sections(report) for part in section.parts), slug)


def _pairs(report: Report) -> list[tuple[int, OutcomeReport, Comparison]]:
    pairs = [(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    return [(place, *pair) for place, pair in enumerate(pairs, start=1)]


def _name(outcome: OutcomeReport, row: Comparison) -> str:
    return f"{outcome.name} · {versus(row.variant, row.compared_with)}"


def _segments(report: Report) -> Section:
    parts = tuple(
        Part(
            f"segments-{place}",
            _name(outcome, row),
            segments.pooled_finding(row, outcome.kind is Kind.PROPORTION),
            segments.table(outcome, row, report.design.level),
            draw=partial(segments.draw, outcome, row) if segments.drawable(row) else None,
        )
        for place, outcome, row in _pairs(report)
        if row.by_segment
    )
    return Section("segments", gettext("By segment"), segments.interaction(leading(report)) if parts else "", parts)


def _behaviour(report: Report) -> Section:
    parts = []
    for place, outcome, row in _pairs(report):
        table = behaviour.table(report, outcome, row)
        if table is None:
            continue
        # From a placebo no effect of the behaviour may be read, so nothing of it is drawn.
        placebo = row.variant == report.design.placebo
        make = None if placebo or not behaviour.drawable(row) else partial(_draw_behaviour, outcome, row)
        codes = () if placebo or row.encouragement is None else row.encouragement.warnings
        note = " ".join(warning_sentence(code) for code in codes)
        parts.append(Part(f"behaviour-{place}", table.title, _name(outcome, row), table, note=note, draw=make))
    others = (behaviour.other_behaviours(report, row) for row in report.outcomes[0].comparisons)
    parts += [part for part in others if part is not None]
    return Section("behaviour", gettext("The effect of doing it"), "", tuple(parts))


def _draw_behaviour(outcome: OutcomeReport, row: Comparison) -> Drawn:
    made = behaviour.draw(outcome, row)
    if made is None:
        raise ValueError("asked to draw what `behaviour.drawable` refuses")
    return made


def _outcomes(report: Report) -> Section:
    table, levels, adjusted = outcomes.comparisons(report), outcomes.levels(report), outcomes.adjusted(report)
    make = partial(_draw_outcomes, report) if _any_effect(report) else None
    parts = [
        Part("outcomes", table.title, gettext("Effects with intervals"), table, draw=make),
        Part("levels", levels.title, "", levels),
    ]
    verdicts = _verdicts(report)
    if len(verdicts.rows) > 1:
        parts.insert(1, Part("verdicts", verdicts.title, "", verdicts))
    if adjusted is not None:
        parts.append(Part("adjusted", adjusted.title, "", adjusted))
    return Section("numbers", gettext("Every outcome"), "", tuple(parts))


def _verdicts(report: Report) -> Table:
    by_itself = gettext("What being nudged does by itself")
    rows = tuple(
        (
            _name(outcome, row),
            by_itself if row.variant == report.design.placebo else row.verdict.heading,
            verdict_sentence(row.verdict),
        )
        for _, outcome, row in _pairs(report)
    )
    columns = (gettext("comparison"), gettext("verdict"), gettext("reason"))
    return Table(gettext("Verdict of each comparison"), columns, rows)


def _any_effect(report: Report) -> bool:
    return any(
        computable(row.difference) for _, outcome, row in _pairs(report) if outcome.kind in (Kind.PROPORTION, Kind.MEAN)
    )


def _draw_outcomes(report: Report) -> Drawn:
    made = outcomes.draw_all(report)
    if made is None:
        raise ValueError("asked to draw a report without any effect")
    return made
