"""Largest SHAP: the behaviour that a model of retention uses most, and where its values turn positive."""

import warnings

import numpy as np

from benchmarks.aha_worlds.entries.correlations import difference
from benchmarks.aha_worlds.records import LONGEST_DAYS, MOST_TIMES, Answer, Entry, Experiment, Log, Moment

EXPLAINED = 5_000


def largest_shap(log: Log, experiment: Experiment | None) -> Answer:
    """Gradient boosting on the counts of the first week; the behaviour with the largest mean absolute SHAP value."""
    from lightgbm import LGBMClassifier
    from shap import TreeExplainer

    counts = log.counts[:, :, LONGEST_DAYS - 1].astype(np.float64)
    model = LGBMClassifier(n_estimators=100, learning_rate=0.05, num_leaves=15, random_state=1, n_jobs=1, verbose=-1)
    model.fit(counts, log.retained)
    shown = counts[:EXPLAINED]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of two shapes that SHAP once had; it gives an array here
        values = np.asarray(TreeExplainer(model).shap_values(shown))
    place = int(np.abs(values).mean(axis=0).argmax())
    for times in range(1, MOST_TIMES + 1):
        rows = shown[:, place] == times
        if rows.any() and values[rows, place].mean() > 0:
            return difference(log, Moment(log.behaviours[place], times, LONGEST_DAYS), "")
    return Answer(None, cause=False, reason="its values are nowhere positive")


LARGEST_SHAP = Entry(
    "largest SHAP",
    largest_shap,
    "The behaviour with the largest mean absolute SHAP value in gradient boosting on counts of seven days; the "
    "number of times is the first at which its mean value is positive.",
    "Lundberg et al. 2020, [From local explanations to global understanding]"
    "(https://doi.org/10.1038/s42256-019-0138-9)",
)
