"""What separates two segments. Pure."""

from dataclasses import dataclass, replace

from reporting.numbers import number
from reporting.table import Table
from reporting.words import gettext, reason_words
from segments.published.run_results import ComparisonResult
from segments.report import drivers, ranking
from stats.results import computable


@dataclass(frozen=True)
class Comparison:
    """Two segments: the finding, their rates and differences, and the model's ranking if it has skill."""

    finding: str
    rows: Table
    ranking: Table | None


def comparison(result: ComparisonResult, titles: tuple[str, str], *, constructed: bool = False) -> Comparison | str:
    """A comparison of two segments, or in words why there is none.

    Args:
        result: as it was stored.
        titles: what the two are called now; the stored names are those of then.
        constructed: the groups were formed by these behaviours, so a model tells them apart whatever they are.
    """
    found = result.drivers
    if not computable(found):
        return reason_words(found)
    found = replace(found, first=titles[0], second=titles[1])
    title = gettext("Behaviour on an active day")
    note = gettext(
        "Events per active day, %(first)s against %(second)s users. Cliff's delta compares everybody over the same "
        "%(days)s active days: 0 alike, 1 when each of the second group does it more often."
    ) % {"first": f"{found.first_units:,}", "second": f"{found.second_units:,}", "days": found.exposure_days}
    ranks = ranking.table(found)
    if ranks is not None:
        judged = gettext(
            "The model tells the two apart with an area under the curve of %(auc)s on users it never saw (0.5 is "
            "chance). Ranks whose intervals overlap are tied. It predicts; it does not explain."
        ) % {"auc": number(found.auc, 2)}
        if constructed:
            judged += " " + gettext("These groups were formed by these behaviours, so an area near 1 is expected.")
        ranks = replace(ranks, note=judged)
    rows = replace(drivers.table(found), title=title, note=note)
    return Comparison(drivers.finding(found), rows, ranks)
