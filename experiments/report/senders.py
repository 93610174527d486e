"""Senders of exposures in the report: excluded exposures, and the result without doubtful units. Pure."""

from collections.abc import Iterator

from experiments.analyse.gather.admission import MANY_NEW_IDS, NO_CLUSTER, OTHER_SOURCE, UNKNOWN_BEFORE, WRONG_ARM
from experiments.analyse.result import Beside, Readout
from experiments.plan.design import Kind
from experiments.report.names import versus
from reporting.numbers import count, effect_text, level_text, p_value
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, NotComputable, computable


def parts(readout: Readout) -> Iterator[Part]:
    """Up to three parts of the flow of units."""
    if readout.flow.not_admitted:
        heading = gettext("Exposures that were not admitted")
        text = gettext("They entered no count and no test above or below.")
        yield Part("not-admitted", heading, text, not_admitted(readout))
    found = readout.with_unverified
    if found is not None:
        heading = gettext("The same analysis with unverified units")
        text = gettext("With the {n} units that only client keys have reported. It decides nothing.")
        columns = (gettext("quantity"), gettext("units that decide"), gettext("with the unverified"))
        table = _two(readout, found, heading, columns)
        yield Part("with-unverified", heading, text.format(n=count(found.left_out)), table)
    found = readout.without_unverified
    if found is not None:
        heading = gettext("The same analysis without unverified units")
        text = gettext("Without the {n} units that only a client key has reported.").format(n=count(found.left_out))
        columns = (gettext("quantity"), gettext("all admitted units"), gettext("without the unverified"))
        yield Part("without-unverified", heading, text, _two(readout, found, heading, columns))


def not_admitted(readout: Readout) -> Table:
    """Excluded exposures by sender and reason."""
    reasons = {
        OTHER_SOURCE: gettext("the experiment isn't shown there"),
        WRONG_ARM: gettext("another variant than the unit's own"),
        NO_CLUSTER: gettext("no cluster is named, and clusters are drawn"),
        UNKNOWN_BEFORE: gettext("nothing of the unit had come before"),
        MANY_NEW_IDS: gettext("the id came in with too many new ids of one address"),
    }
    rows = tuple(
        (row.sender or gettext("our evaluation door"), reasons[row.reason], count(row.exposures), count(row.units))
        for row in readout.flow.not_admitted
    )
    columns = (gettext("client key of"), gettext("reason"), gettext("exposures"), gettext("units"))
    return Table(gettext("Exposures that were not admitted"), columns, rows)


def _two(readout: Readout, found: Beside, title: str, columns: tuple[str, ...]) -> Table:
    """Units, split, verdict and first outcome of the analysis, and of the second result beside it."""
    whole = readout.standing.exposed
    rows: list[Row] = [
        (gettext("exposed to {variant}").format(variant=name), count(whole.get(name, 0)), count(n))
        for name, n in found.exposed.items()
    ]
    if computable(readout.sample_ratio) and computable(found.sample_ratio):
        tests = (readout.sample_ratio.p_value, found.sample_ratio.p_value)
        rows.append((gettext("split against the plan (p)"), *(p_value(one) for one in tests)))
    if readout.verdict is not None and found.verdict is not None:
        verdicts = (readout.verdict, found.verdict)
        rows.append((gettext("verdict"), *(one.heading for one in verdicts)))
    outcome = None if readout.report is None else readout.report.outcomes[0]
    share = outcome is not None and outcome.kind is Kind.PROPORTION
    every = {} if outcome is None else {row.variant: row for row in outcome.comparisons}
    for variant, one in found.differences:
        against = found.compared_with.get(variant, "")
        row = every.get(variant)
        same = row is not None and row.compared_with == against
        rows.append(
            (
                gettext("first outcome, {comparison}").format(
                    comparison=versus(variant, against or readout.plan.variants[0])
                ),
                _difference(row.difference, share) if row is not None and same else "",
                _difference(one, share),
            )
        )
    return Table(title, columns, tuple(rows))


def _difference(found: Estimate | NotComputable, share: bool) -> str:
    if not computable(found):
        return reason_words(found)
    return gettext("{estimate} ({level} interval {low} to {high})").format(
        estimate=effect_text(found.estimate, share=share),
        level=level_text(found.level),
        low=effect_text(found.low, share=share),
        high=effect_text(found.high, share=share),
    )
