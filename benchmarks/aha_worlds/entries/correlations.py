"""Signal's phi and Compass' PPV: the cell that a table of correlations puts first."""

from collections.abc import Iterator
from math import sqrt

from statsmodels.stats.proportion import confint_proportions_2indep

from benchmarks.aha_worlds.records import LONGEST_DAYS, MOST_TIMES, Answer, Entry, Experiment, Log, Moment

# Amplitude's words for a correlation: below .2 it is "not predictive".
PREDICTIVE = 0.2


def cells(log: Log) -> Iterator[tuple[Moment, float, float]]:
    """Every cell with its phi and its PPV; cells that nobody or everybody reaches have neither."""
    stayed = log.retained
    n, kept = stayed.size, int(stayed.sum())
    for behaviour in log.behaviours:
        for days in range(1, LONGEST_DAYS + 1):
            for times in range(1, MOST_TIMES + 1):
                moment = Moment(behaviour, times, days)
                did = log.did(moment)
                doers, both = int(did.sum()), int((did & stayed).sum())
                if 0 < doers < n and 0 < kept < n:
                    phi = (n * both - doers * kept) / sqrt(doers * (n - doers) * kept * (n - kept))
                    yield moment, phi, both / doers


def difference(log: Log, moment: Moment | None, reason: str) -> Answer:
    """The cell with the difference in retention of its doers: what the table promises of it."""
    if moment is None:
        return Answer(None, cause=False, reason=reason)
    did = log.did(moment)
    yes, no = log.retained[did], log.retained[~did]
    low, high = confint_proportions_2indep(yes.sum(), yes.size, no.sum(), no.size, method="newcomb", compare="diff")
    effect = float(yes.mean() - no.mean())
    return Answer(moment, cause=bool(low > 0 or high < 0), effect=effect, intervals=((float(low), float(high)),))


def signal(log: Log, experiment: Experiment | None) -> Answer:
    best = max(cells(log), key=lambda row: abs(row[1]), default=None)
    return difference(log, None if best is None else best[0], "no cell")


def compass(log: Log, experiment: Experiment | None) -> Answer:
    """Per event and day the frequency with the highest correlation; of those that are predictive the highest PPV."""
    shown: dict[tuple[str, int], tuple[Moment, float, float]] = {}
    for row in cells(log):
        place = (row[0].behaviour, row[0].days)
        if place not in shown or row[1] > shown[place][1]:
            shown[place] = row
    predictive = [row for row in shown.values() if row[1] >= PREDICTIVE]
    best = max(predictive, key=lambda row: row[2], default=None)
    return difference(log, None if best is None else best[0], "no cell is predictive")


ENTRIES = (
    Entry(
        "Signal's phi",
        signal,
        "Phi of every event, up to 10 times and 7 days; the optimal cell is the one with the largest absolute phi.",
        "Mixpanel, [How does Signal display the results]"
        "(https://help.mixpanel.com/hc/en-us/articles/115004580826); phi: Yule 1912",
    ),
    Entry(
        "Compass' PPV",
        compass,
        "Per event and day the frequency with the highest correlation, which Compass shows by default. Among those "
        "that it calls at least slightly predictive (.2), the highest positive predictive value.",
        "Amplitude, [Interpret your Compass chart, part 1]"
        "(https://amplitude.com/docs/analytics/charts/compass/compass-interpret-1) and "
        "[part 2](https://amplitude.com/docs/analytics/charts/compass/compass-interpret-2)",
    ),
)
