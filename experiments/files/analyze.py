"""Analyse the file of a finished experiment."""

from argparse import ArgumentParser
from math import inf
from pathlib import Path
from typing import Any

from experiments.analyse.effects import Report
from experiments.analyse.engine import analyze
from experiments.files.cleaning import clean, resolve
from experiments.files.reading import read_table
from experiments.plan.design import Covariate, Design
from runs.progress import Progress, silent
from runs.refusals import Refused


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
    return analyze(path.name, resolved, units)


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
    if design.adjusted and not design.covariates:
        raise Refused("an adjusted comparison needs a covariate: name one with --covariate", at="primary")


# Options of commands that read the file of a finished experiment, and the design they define.


def add_columns(parser: ArgumentParser) -> None:
    """Add the file, its columns, and the choices fixed before the outcome was read."""
    add = parser.add_argument
    add("file", type=Path, help="CSV, TSV or Parquet; .gz is unpacked")
    add("--variant", required=True, metavar="COL", help="column of the assigned variant")
    add("--control", required=True, metavar="LABEL", help="the control variant's label")
    add(
        "--outcome",
        required=True,
        action="append",
        metavar="COL",
        help="repeatable; 0/1 is a share, other numbers are means; the first is the primary one",
    )
    add("--unit", metavar="COL", help="column of the unit id; without it each row is one unit")
    add("--segment", metavar="COL", help="stratify by this column, known before assignment")
    add("--behaviour", metavar="COL", help="0/1: reached the AHA moment; makes it an encouragement analysis")
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
    )


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
