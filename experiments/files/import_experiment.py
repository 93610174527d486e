"""Store a finished experiment that ran elsewhere as evidence on a behaviour: its moments, never its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction

from aha.evidence.findings import Definition, PastFinding
from aha.evidence.store_findings import keep_findings, refuse_double
from aha.models import AhaMoment
from aha.moments.claims import promised
from events.metrics import is_display_only, parse_behaviour, parse_metric
from experiments.analyse.effects import Report
from experiments.analyse.export_findings import finding, promised_by
from experiments.files.analyze import analyze_file
from experiments.plan.design import Design, Kind, kind_of
from reporting.words import reason_words
from runs.refusals import Refused
from stats.results import computable


@dataclass(frozen=True)
class Told:
    """Facts about the experiment that its file doesn't contain.

    Attributes:
        name: display name, unique among imported experiments.
        definition: of its behaviour and outcome columns.
        first, last: first and last day of the experiment.
        promised: difference in the outcome that a correlation promised, and its standard error; empty without one.
    """

    name: str
    definition: Definition
    first: date
    last: date
    promised: Mapping[str, float | None]


@dataclass(frozen=True)
class Imported:
    """The stored findings, and the analysis that they come from."""

    findings: tuple[PastFinding, ...]
    report: Report


def told_of(
    *,
    name: str,
    behaviour: str,
    times: int | None,
    days: int | None,
    outcome: str | None,
    first: date,
    last: date,
    promise: float | None = None,
) -> Told:
    """Validate and complete the facts that a person enters about a finished experiment.

    Args:
        name: display name.
        behaviour: key of an AHA moment, or a behaviour text.
        times, days: Z and Y; None for those of the moment.
        outcome: metric text; None for the retention of the moment.
        first, last: days of the experiment, inclusive.
        promise: that a correlation made; None for the evidence ladder's headline of the moment, if it has this outcome.

    Raises:
        Refused: something is missing, contradicts the moment or can't be parsed.
    """
    if not name.strip():
        raise Refused("a name that people know the experiment by", at="name")
    if last < first:
        raise Refused("{last} lies before --from {first}", at="to", first=first, last=last)
    moment = AhaMoment.objects.filter(key=behaviour).first()
    if moment is not None:
        parts = (times or moment.times, days or moment.days, outcome or moment.retention)
        definition = Definition(moment.behaviour, *parts)
    else:
        if times is None or days is None or outcome is None:
            raise Refused(
                "{given!r} isn't the key of an AHA moment; for a behaviour give --times, --days and --outcome-spec too",
                at="behaviour-key",
                given=behaviour,
            )
        definition = Definition(str(parse_behaviour(behaviour)), times, days, outcome)
    if min(definition.times, definition.days) < 1:
        raise Refused("Times and days are whole numbers of 1 or more.")
    metric = parse_metric(definition.outcome)
    if is_display_only(metric):
        raise Refused("'{metric}' grows as the data age: no experiment can be judged by it.", metric=definition.outcome)
    values: dict[str, float | None] = {} if promise is None else {"promised": promise}
    if promise is None and moment is not None:
        own = Definition(moment.behaviour, moment.times, moment.days, moment.retention)
        values = promised_by(promised(moment.evidence)) if own.same == definition.same else {}
    return Told(name.strip(), replace(definition, outcome=str(metric)), first, last, values)


def import_experiment(path: Path, design: Design, facts: Told, *, by: User | None = None) -> Imported:
    """Analyse the file of a finished experiment and store its moments as evidence on the behaviour.

    Args:
        path: as for `analyze_file`.
        design: with one outcome and a behaviour column.
        facts: facts that the file doesn't contain.
        by: the account that imports it.

    Raises:
        Refused: as `analyze_file`; the file gives no finding on the behaviour; or it is stored already.
    """
    refuse_design(design)
    report = analyze_file(path, design)
    return Imported(store_report(report, facts, file=str(path), by=by), report)


def refuse_design(design: Design) -> None:
    """Refuse a design whose analysis says nothing about one behaviour and one outcome.

    Raises:
        Refused: it has no behaviour, or several outcomes.
    """
    if design.behaviour is None:
        raise Refused("the column that says who did the behaviour, 0 or 1", at="behaviour")
    if len(design.outcomes) > 1:
        raise Refused("one column: a finding is about one outcome", at="outcome")


def store_report(report: Report, facts: Told, *, file: str, by: User | None = None) -> tuple[PastFinding, ...]:
    """Store what an analysed file says about a behaviour; `file` is its name in refusals.

    Raises:
        Refused: it says nothing about the behaviour, or the same numbers or name are stored already.
    """
    findings = findings_of(report, facts, file)
    with transaction.atomic():
        refuse_double(findings)
        keep_findings(findings, by=by)
    return tuple(findings)


def findings_of(report: Report, facts: Told, file: str) -> list[PastFinding]:
    """A finding for each arm that nudges.

    Raises:
        Refused: no arm gives a finding, or the outcome isn't of its definition's kind.
    """
    outcome, design = report.outcomes[0], report.design
    kind = kind_of(facts.definition.outcome)
    if (kind is Kind.PROPORTION) != (outcome.kind is Kind.PROPORTION):
        raise Refused(
            "{file}: column {column!r} doesn't hold what {outcome} means: retention is 0 or 1 for each user",
            file=file,
            column=outcome.name,
            outcome=facts.definition.outcome,
        )
    findings, why, place = [], "", 0
    for row in outcome.comparisons:
        if row.variant == design.placebo or row.encouragement is None:
            continue
        place += 1
        if row.encouragement.moments is None:
            missing = row.encouragement.take_up
            why = why or ("" if computable(missing) else reason_words(missing))
            continue
        evidence = finding(outcome, row, facts.definition, place, row.encouragement.moments, design.control)
        about = {"name": facts.name, "source": facts.name, "started": facts.first, "ended": facts.last}
        findings.append(replace(evidence, placebo=evidence.comparator == design.placebo, **about, **facts.promised))  # type: ignore[arg-type]
    if not findings:
        raise Refused("{file}: nothing of it can be stored. {why}", file=file, why=why)
    return findings
