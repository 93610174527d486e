"""A forecast of growth of a world, with levers of each kind."""

from functools import cache

from events.simulation.growth_worlds import FIRST, GROWTH_WORLDS
from launches.growth.model import Finished, GrowthReport, Unmoved, make_report
from stats.growth_chain import Rate
from stats.results import Interval
from tests.stats.growth_logs import weeks_from

LIFT = Interval(0.04, 0.01, 0.07, 0.95, "relative-effect")
LEVERS = (
    Finished("hint", "Show a hint", "window:1-7", Rate.NEW, LIFT),
    Finished("digest", "Weekly digest", "window:8-14", Rate.CURRENT, LIFT),
    Finished("players", "Ways to invite", "window:1-7", Rate.NEW, LIFT, is_lab=True),
    Finished("price", "Lower price", "count:shop:0-6", why=Unmoved.NO_RETENTION),
)


@cache
def growth_report(weeks: int = 80) -> GrowthReport:
    """Of the world `growth_drifts`, with so many weeks."""
    user, day = GROWTH_WORLDS["growth_drifts"].visits(1, 4, weeks)
    return make_report(weeks_from(user, day), first=FIRST, ahead=52, seed=1, experiments=LEVERS)
