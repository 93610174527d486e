"""Who reported the exposures, for the report: what was not admitted, and the analysis without doubtful units. Pure."""

from collections.abc import Iterator

from experiments.admission import OTHER_SOURCE, WRONG_ARM
from experiments.codes import code_words
from experiments.design import Kind
from experiments.readout import Readout, Without
from reporting.numbers import count, effect_text, level_text, p_relation
from reporting.table import Part, Row, Table
from reporting.words import Gettext, reason_words
from stats.results import computable


def parts(readout: Readout, gettext: Gettext) -> Iterator[Part]:
    """Up to two parts of the flow of units."""
    if readout.flow.not_admitted:
        yield Part(
            "not-admitted", gettext("Exposures that were not admitted"),
            gettext("They entered no count and no test above or below."), not_admitted(readout, gettext),
            picture=False,
        )  # fmt: skip
    found = readout.without_unverified
    if found is not None:
        text = gettext("Without the {n} units that only a client key has reported.").format(n=count(found.left_out))
        yield Part(
            "without-unverified", gettext("The same analysis without unverified units"), text,
            without(readout, found, gettext), picture=False,
        )  # fmt: skip


def not_admitted(readout: Readout, gettext: Gettext) -> Table:
    """By sender and reason."""
    reasons = {
        OTHER_SOURCE: gettext("the experiment isn't shown there"),
        WRONG_ARM: gettext("another variant than the unit's own"),
    }
    rows = tuple(
        (row.sender, reasons[row.reason], count(row.exposures), count(row.units)) for row in readout.flow.not_admitted
    )
    columns = (gettext("client key of"), gettext("reason"), gettext("exposures"), gettext("units"))
    return Table(gettext("Exposures that were not admitted"), columns, rows)


def without(readout: Readout, found: Without, gettext: Gettext) -> Table:
    """Units, split, verdict and first outcome of the rest."""
    rows: list[Row] = [
        (gettext("exposed to {variant}").format(variant=name), count(n)) for name, n in found.exposed.items()
    ]
    if computable(found.sample_ratio):
        rows.append((gettext("split against the plan (p)"), p_relation(found.sample_ratio.p_value)))
    if found.verdict is not None:
        rows.append((gettext("verdict"), code_words(found.verdict.code, gettext)))
    share = readout.report is not None and readout.report.outcomes[0].kind is Kind.PROPORTION
    for variant, one in found.differences:
        text = (
            gettext("{estimate} ({level} interval {low} to {high})").format(
                estimate=effect_text(one.estimate, share=share, gettext=gettext), level=level_text(one.level),
                low=effect_text(one.low, share=share, gettext=gettext),
                high=effect_text(one.high, share=share, gettext=gettext),
            )
            if computable(one)
            else reason_words(one, gettext)
        )  # fmt: skip
        rows.append((gettext("first outcome, {variant} minus control").format(variant=variant), text))
    return Table(
        gettext("The same analysis without unverified units"), (gettext("quantity"), gettext("value")), tuple(rows)
    )
