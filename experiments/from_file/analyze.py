"""Analyse the file of a finished experiment."""

from math import inf
from pathlib import Path

from experiments.analyse.effects import Report
from experiments.analyse.engine import analyze
from experiments.from_file.cleaning import clean, resolve
from experiments.from_file.reading import read_table
from experiments.plan.design import Design
from runs.refusals import Refused


def analyze_file(path: Path, design: Design) -> Report:
    """Read, clean and analyse a file.

    Args:
        path: CSV, TSV or Parquet, also compressed with gzip.
        design: the choices fixed before the outcome was read; column names as typed.

    Returns:
        The report.

    Raises:
        Refused: the file or an option can't be used; the sentence names it.
    """
    if not 0 < design.alpha < 0.5:
        raise Refused("--alpha must lie between 0 and 0.5, not {given:g}", given=design.alpha)
    if design.margin is not None and not 0 < design.margin < inf:
        raise Refused("--margin must be above 0 and finite, not {given:g}", given=design.margin)
    if not 0 <= design.nudge_cost < inf:
        raise Refused("--nudge-cost must be at least 0 and finite, not {given:g}", given=design.nudge_cost)
    if design.adjusted and not design.covariates:
        raise Refused("an adjusted comparison needs a covariate: name one with --covariate", at="primary")
    labels = [design.variant, design.unit, design.segment, design.cluster]
    labels += [row.name for row in design.covariates if row.category]
    source = read_table(path, text_columns=frozenset(name.casefold() for name in labels if name is not None))
    resolved = resolve(source, design)
    return analyze(path.name, resolved, clean(source, resolved))
