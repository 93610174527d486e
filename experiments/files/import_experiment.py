"""Store a finished experiment that ran elsewhere as evidence on a behaviour: its moments, never its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from numpy.typing import NDArray

from aha.evidence.findings import Definition, OutcomeMoments, PastFinding, outcome_moments
from aha.evidence.store_findings import keep_findings, refuse_double
from aha.models import AhaMoment
from aha.moments.claims import promised
from events.metrics import is_display_only, parse_behaviour, parse_metric
from experiments.analyse.effects import Report
from experiments.analyse.export_findings import finding, promised_by
from experiments.files.analyze import analyze_file
from experiments.files.cleaning import clean, find_column
from experiments.files.reading import behaviour_column, read_table
from experiments.plan.design import Design, Floats, Kind, Units, kind_of
from reporting.words import reason_words
from runs.refusals import Refused
from stats.instrument.joint import MOST_BEHAVIOURS, contrast_of_units, sums_by_cluster
from stats.results import NotComputable, computable


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
class Beside:
    """Another behaviour that the file has for each user: its column, its text, and how often it counts as done."""

    column: str
    behaviour: str
    times: int


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


def beside_of(column: str, behaviour: str, times: str) -> Beside:
    """Another behaviour of a file, from a command line.

    Raises:
        Refused: it can't be read.
    """
    if not times.isdecimal() or int(times) < 1:
        raise Refused("{given!r} is no whole number of 1 or more", at="also", given=times)
    return Beside(column, str(parse_behaviour(behaviour)), int(times))


def import_experiment(
    path: Path, design: Design, facts: Told, *, beside: Sequence[Beside] = (), by: User | None = None
) -> Imported:
    """Analyse the file of a finished experiment and store its moments as evidence on the behaviour.

    Args:
        path: as for `analyze_file`.
        design: with one outcome and a behaviour column.
        facts: facts that the file doesn't contain.
        beside: other behaviours, for joint readings.
        by: the account that imports it.

    Raises:
        Refused: as `analyze_file`; the file gives no finding on the behaviour; or it is stored already.
    """
    refuse_design(design)
    report = analyze_file(path, design)
    findings = findings_of(report, facts, str(path))
    if beside:
        findings = with_others(findings, path, report.design, facts, beside)
    return Imported(store_findings(findings, by=by), report)


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
    return store_findings(findings_of(report, facts, file), by=by)


def store_findings(findings: list[PastFinding], *, by: User | None) -> tuple[PastFinding, ...]:
    """Store findings that aren't stored yet.

    Raises:
        Refused: the same numbers or name are stored already.
    """
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
        of_outcome = outcome_moments(
            facts.definition.outcome,
            str(outcome.kind),
            (facts.definition.behaviour, facts.definition.times),
            row.encouragement.moments,
        )
        findings.append(
            replace(
                evidence,
                placebo=evidence.comparator == design.placebo,
                outcomes=(of_outcome,),
                **about,  # type: ignore[arg-type]
                **facts.promised,  # type: ignore[arg-type]
            )
        )
    if not findings:
        raise Refused("{file}: nothing of it can be stored. {why}", file=file, why=why)
    return findings


def with_others(
    findings: list[PastFinding], path: Path, design: Design, facts: Told, beside: Sequence[Beside]
) -> list[PastFinding]:
    """The findings with the moments of all behaviours of the file's users.

    Raises:
        Refused: a column is missing or isn't 0/1, or behaviours are named twice.
    """
    names = [facts.definition.behaviour, *(other.behaviour for other in beside)]
    if len(set(names)) < len(names) or len(names) > MOST_BEHAVIOURS:
        raise Refused("each of at most {most} behaviours once", at="also", most=MOST_BEHAVIOURS)
    labels = [design.variant, design.unit, design.segment, design.cluster]
    source = read_table(path, text_columns=frozenset(name.casefold() for name in labels if name is not None))
    units = clean(source, design)
    columns = [units.outcomes[0].values, units.behaviour]
    for other in beside:
        column = find_column(source, other.column, "--also")
        behaviour_column(source, column, "--also")  # refuses under the option's own name
        columns.append(clean(source, replace(design, behaviour=column)).behaviour)
    values = np.column_stack([column for column in columns if column is not None])
    complete = ~np.isnan(values).any(axis=1)
    return [replace(finding, outcomes=(_of_units(finding, units, values, complete, beside),)) for finding in findings]


def _of_units(
    finding: PastFinding, units: Units, values: Floats, complete: NDArray[np.bool_], beside: Sequence[Beside]
) -> OutcomeMoments:
    variant, comparator = units.labels.index(finding.variant), units.labels.index(finding.comparator)
    used = complete & np.isin(units.arm, (variant, comparator))
    contrast = contrast_of_units(values[used], (units.arm[used] == variant).astype(float))
    if isinstance(contrast, NotComputable):
        raise Refused("too few users with a value in every column", at="also")
    effects, influences = contrast
    if units.cluster is not None:
        influences = sums_by_cluster(influences, np.unique(units.cluster[used], return_inverse=True)[1])
    covariance = influences.T @ influences
    n_variant = int((units.arm[used] == variant).sum())
    return OutcomeMoments(
        finding.definition.outcome,
        finding.kind,
        (finding.definition.behaviour, *(other.behaviour for other in beside)),
        (finding.definition.times, *(other.times for other in beside)),
        tuple(effects.tolist()),
        tuple(tuple(line) for line in covariance.tolist()),
        int(used.sum()) - n_variant,
        n_variant,
    )
