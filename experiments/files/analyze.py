"""Analyse the file of a finished experiment."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analyse.effects import Report
from experiments.analyse.engine import analyze
from experiments.files.cleaning import clean, resolve
from experiments.files.reading import read_table
from experiments.plan.design import Covariate, Design, Other, Units
from experiments.plan.fields import Origin
from experiments.plan.record import MOST_OTHERS
from runs.progress import Progress, silent
from runs.refusals import Refused
from stats.adjustment import cluster_difference
from stats.compare import compare_unpooled
from stats.results import computable
from stats.summaries import Mean

# Why an other behaviour of a file is a consequence: a file has no plan that says it.
ASSUMED = "assumed"


def analyze_file(path: Path, design: Design, progress: Progress = silent) -> Report:
    """Read, clean and analyse a file.

    Args:
        path: CSV, TSV or Parquet, also compressed with gzip.
        design: the choices fixed before the outcome was read; column names as typed.
        progress: told before each step.

    Returns:
        The report.

    Raises:
        Refused: the file or an option can't be used; the sentence names it.
    """
    refuse_options(design)
    labels = [design.variant, design.unit, design.segment, design.cluster]
    labels += [row.name for row in design.covariates if row.category]
    progress("read", 0.0)
    source = read_table(path, text_columns=frozenset(name.casefold() for name in labels if name is not None))
    resolved = resolve(source, design)
    progress("clean", 0.4)
    units = clean(source, resolved)
    progress("statistics", 0.5)
    return analyze(path.name, with_gaps(resolved, units), units)


def with_gaps(design: Design, units: Units) -> Design:
    """The design with the limits of other behaviours that nobody gave: the gap in the control group.

    The gap is the mean of the first outcome of those who did it less that of the others, with its 95 % interval,
    widened to hold 0 (docs/methods/joint.md, "Other behaviours").

    Raises:
        Refused: too few of the control group did it, or didn't.
    """
    return replace(design, others=tuple(_with_gap(other, place, units) for place, other in enumerate(design.others)))


def _with_gap(other: Other, place: int, units: Units) -> Other:
    if units.others is None or other.low is not None:
        return other
    outcome = units.outcomes[0].values
    here = (units.arm == 0) & ~np.isnan(outcome)
    did, values = units.others[here, place], outcome[here]
    if units.cluster is None:
        gap = compare_unpooled(Mean.from_values(values[did == 0]), Mean.from_values(values[did == 1]))
    else:
        gap = cluster_difference(values, did, units.cluster[here])
    if not computable(gap):
        raise Refused(
            "--other {column}: how large its effect may be can't be taken from the control group, since too few did it "
            "or all did; give it with --other-promise {column}=SHARE",
            column=other.name,
            at="other_promise",
        )
    return replace(other, low=min(0.0, gap.low), high=max(0.0, gap.high))


def refuse_options(design: Design) -> None:
    """Refuse choices that are wrong whatever the file holds.

    Raises:
        Refused: the sentence names the option.
    """
    if not 0 < design.alpha < 0.5:
        raise Refused("--alpha must lie between 0 and 0.5, not {given:g}", given=design.alpha)
    if design.margin is not None and not 0 < design.margin < inf:
        raise Refused("--margin must be above 0 and finite, not {given:g}", given=design.margin)
    if not 0 <= design.nudge_cost < inf:
        raise Refused("--nudge-cost must be at least 0 and finite, not {given:g}", given=design.nudge_cost)
    if design.others and design.behaviour is None:
        raise Refused("--other needs --behaviour: it is another behaviour beside that one", at="other")
    if len(design.others) > MOST_OTHERS:
        raise Refused("--other: at most {most} other behaviours", most=MOST_OTHERS, at="other")
    if design.adjusted and not design.covariates:
        raise Refused("an adjusted comparison needs a covariate: name one with --covariate", at="primary")


# Options of commands that read the file of a finished experiment, and the design they define.


def add_columns(parser: ArgumentParser, *, required: bool = True) -> None:
    """Add the file, its columns, and the choices fixed before the outcome was read.

    Args:
        parser: of the command.
        required: False where the command asks for the columns itself.
    """
    add = parser.add_argument
    add("file", type=Path, help="CSV, TSV or Parquet; .gz is unpacked")
    add("--variant", required=required, metavar="COL", help="column of the assigned variant")
    add("--control", required=required, metavar="LABEL", help="the control variant's label")
    add(
        "--outcome",
        required=required,
        action="append",
        metavar="COL",
        help="repeatable; 0/1 is a share, other numbers are means; the first is the primary one",
    )
    add("--unit", metavar="COL", help="column of the unit id; without it each row is one unit")
    add("--segment", metavar="COL", help="stratify by this column, known before assignment")
    add("--behaviour", metavar="COL", help="0/1: reached the AHA moment; makes it an encouragement analysis")
    _add_others(parser)
    add(
        "--covariate",
        action="append",
        default=[],
        metavar="COL[:category]",
        help="repeatable; known before assignment; text and :category become dummies",
    )
    add(
        "--primary",
        choices=["unadjusted", "adjusted"],
        default="unadjusted",
        help="which comparison the verdict rests on; adjusted is Lin's, for the covariates (default unadjusted)",
    )
    add("--cluster", metavar="COL", help="group that was assigned as a whole: cluster-robust errors")
    add(
        "--ratio",
        action="append",
        default=[],
        metavar="LABEL=SHARE",
        help="repeatable; the planned split (default: equal)",
    )
    add("--alpha", type=float, default=0.05, help="two-sided false alarm rate (default 0.05)")
    add(
        "--placebo",
        metavar="LABEL",
        help="the variant with a nudge towards something inert: the nudge is compared with it",
    )
    add("--margin", type=float, metavar="M", help="smallest effect of interest, absolute")
    add(
        "--direct-effect",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="what being nudged by itself may do to the first outcome, in its unit (0.01 is one point of a share)",
    )


def _add_others(parser: ArgumentParser) -> None:
    """Add other behaviours, what each may explain, and which are consequences."""
    add = parser.add_argument
    add(
        "--other",
        action="append",
        default=[],
        metavar="COL",
        help="repeatable; 0/1: another behaviour that the nudge may move, and that may be the cause instead",
    )
    add(
        "--other-promise",
        action="append",
        default=[],
        metavar="COL=VALUE",
        help="repeatable; largest effect an --other may have on the first outcome (default: the gap in control)",
    )
    add(
        "--consequence",
        action="append",
        default=[],
        metavar="COL",
        help="repeatable; an --other that the behaviour itself leads to, so that it is part of how that works",
    )


def design_of(options: dict[str, Any]) -> Design:
    """The design of a command line.

    Raises:
        Refused: an option has an invalid value.
    """
    return Design(
        variant=options["variant"],
        control=options["control"],
        outcomes=tuple(options["outcome"]),
        unit=options["unit"],
        segment=options["segment"],
        behaviour=options["behaviour"],
        covariates=tuple(
            Covariate(text.removesuffix(":category"), text.endswith(":category")) for text in options["covariate"]
        ),
        cluster=options["cluster"],
        shares=_shares(options["ratio"]),
        alpha=options["alpha"],
        margin=options["margin"],
        direct_effect=_range(options["direct_effect"]),
        placebo=options["placebo"],
        adjusted=options["primary"] == "adjusted",
        others=_others(options["other"], options["other_promise"], options["consequence"]),
    )


def _others(columns: list[str], promises: list[str], consequences: list[str]) -> tuple[Other, ...]:
    """The other behaviours, with the limits and consequences that were given; these must be among them."""
    others = {column: Other(column) for column in columns}
    for text in promises:
        column, mark, number = text.rpartition("=")
        try:
            value = float(number) if mark else nan
        except ValueError:
            value = nan
        if not -inf < value < inf:
            raise Refused("--other-promise {given!r} must be COL=VALUE, for example chat=0.18", given=text)
        _need_other(others, column, "--other-promise")
        low, high = min(0.0, value), max(0.0, value)
        others[column] = replace(others[column], low=low, high=high, origin=str(Origin.PERSON))
    for column in consequences:
        _need_other(others, column, "--consequence")
        others[column] = replace(others[column], consequence=ASSUMED)
    return tuple(others.values())


def _need_other(others: Mapping[str, Other], column: str, option: str) -> None:
    if column not in others:
        raise Refused("{option} {column!r}: name it with --other, too", option=option, column=column)


def _range(ends: list[float] | None) -> tuple[float, float] | None:
    if ends is None:
        return None
    low, high = ends
    if not -inf < low <= high < inf:
        raise Refused("--direct-effect {low:g} {high:g}: two numbers, the smaller one first", low=low, high=high)
    return low, high


def _shares(texts: list[str]) -> dict[str, float] | None:
    shares: dict[str, float] = {}
    for text in texts:
        label, mark, share = text.rpartition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not mark or not 0 <= value < float("inf"):
            raise Refused(
                "--ratio {given!r} must be LABEL=SHARE with a share of at least 0, for example control=0.5", given=text
            )
        if label in shares:
            raise Refused("--ratio gives variant {variant!r} two shares", variant=label)
        shares[label] = value
    total = sum(shares.values())
    if shares and total == 0:
        raise Refused("the shares add up to 0", at="ratio")
    return {label: share / total for label, share in shares.items()} or None
