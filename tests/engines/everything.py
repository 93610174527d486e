"""All that the site asks an engine of one made-up world: the documents that come out, and every answer on the way."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings
from pandas.api.types import is_integer_dtype

from aha.explore.answering import answer
from aha.explore.question import VIEWS, Question
from aha.moments.reach import weekly_reach
from aha.moments.retention_now import retention_now
from events.catalogue import listing, refresh
from events.simulation import EXPERIMENT_KEY, WORLDS, Simulation, draw_arms, simulate
from events.store import event_table
from events.warehouse.engine import Warehouse
from events.warehouse.explore_session import Stop
from experiments.models import Experiment
from reporting.document import dump
from runs.parallel import use_workers
from runs.progress import silent
from tests.aha.store import discover
from tests.experiments.stored import stored_experiment
from tests.segments.levels import publish_levels

UNITS = 700  # no event so often that the list of events reads a sample, which engines draw differently
CLOCK = ("--signup-event", "signup")
STUDY = (*CLOCK, "--days", 1, 3, 7, "--max-times", 4, "--retention", "window:21-27", "--json")
BEHAVIOURS = ("--behaviours", "friend_add", "chat", "browse", "battle", "signup#country")
GROUPS = (*CLOCK, "--window", "0", "13", "--retention", "window:21-27", "--json")


# The extent of the log: the store's own log says most of it, a warehouse is asked. The documents have what comes of it.
OPENING = ({"last"}, {"events", "oldest", "newest", "day_grain"})


@dataclass(frozen=True)
class Done:
    """What came out of one job.

    Attributes:
        document: as JSON has it.
        answers: each answer that left the warehouse, in the order of the questions.
    """

    document: Any
    answers: list[pd.DataFrame]


def world() -> Simulation:
    """An experiment of the world with a step, whose users all had their whole windows."""
    return simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))


def do(job: str, made: Simulation, *, workers: int = 1) -> Done:
    """One of `JOBS` or `STORE_JOBS` on the engine that the settings name. The database stays as it was."""
    use_workers(workers)
    try:
        with transaction.atomic():
            experiment = stored_experiment(made)
            with answers() as heard:
                found = (JOBS | STORE_JOBS)[job](experiment)
            transaction.set_rollback(True)
    finally:
        use_workers(1)
    return Done(json.loads(found) if isinstance(found, str) else found, heard)


def reach(experiment: Experiment) -> Any:
    """The weekly reach of the experiment's moment."""
    assert experiment.moment is not None
    return dump(weekly_reach(experiment.moment))


def printed(*command: Any) -> str:
    """What a command prints."""
    out = StringIO()
    call_command(*command, stdout=out, stderr=StringIO())
    return out.getvalue()


def catalogue() -> Any:
    """The list of events, as it is kept."""
    assert refresh.make_catalogue()
    found = dump(listing.catalogue())
    return {name: value for name, value in found.items() if name not in ("made_at", "seconds")}


def explore() -> Any:
    """Every view of Explore, of a log that is prepared anew."""
    publish_levels()
    with TemporaryDirectory() as folder, override_settings(EXPLORE_DIR=folder):
        more: dict[str, Any] = {
            "signup": "signup",
            "behaviour": "chat",
            "retention": "window:21-27",
            "steps": ("signup", "chat"),
            "levels": "loyal",
        }
        return {view: answer(Question(view, **more), stop=Stop(), progress=silent) for view in VIEWS}


def newest() -> Any:
    """How the newest events look where they lie."""
    rows = event_table.latest_rows(50)
    assert len(rows) == 50
    return sorted(set(rows[0])), event_table.row_count()


@contextmanager
def answers() -> Iterator[list[pd.DataFrame]]:
    """Every answer that leaves a warehouse inside the block, but for what is asked when it is opened."""
    heard: list[pd.DataFrame] = []
    run, arrow = Warehouse.run, Warehouse.arrow

    def heard_run(self: Warehouse, question: Any) -> pd.DataFrame:
        frame = run(self, question)
        if set(frame.columns) not in OPENING:
            heard.append(with_ids(self, frame))
        return frame

    def heard_arrow(self: Warehouse, question: Any) -> Any:
        table = arrow(self, question)
        heard.append(with_ids(self, table.to_pandas()))
        return table

    def with_ids(house: Warehouse, frame: pd.DataFrame) -> pd.DataFrame:
        """With ids where this engine has numbers for users and the other has none."""
        numbers = [name for name in ("user_id", "user_key") if name in frame and is_integer_dtype(frame[name])]
        if house.users is None or not numbers:
            return frame
        known = run(house, house.users.known)
        ids = dict(zip(known.known_number, known.known_id, strict=True))
        return frame.assign(**{name: frame[name].map(ids) for name in numbers})

    Warehouse.run, Warehouse.arrow = heard_run, heard_arrow  # type: ignore[method-assign]
    try:
        yield heard
    finally:
        Warehouse.run, Warehouse.arrow = run, arrow  # type: ignore[method-assign]


JOBS: dict[str, Callable[[Experiment], Any]] = {
    "catalogue": lambda _: catalogue(),
    "retention": lambda _: dump(retention_now("signup")),
    "reach": reach,
    "analysis": lambda _: printed("analyze", EXPERIMENT_KEY, "--json"),
    "study": lambda _: discover(*STUDY, *BEHAVIOURS),
    "groups": lambda _: printed("segment_units", *GROUPS),
}
# What is asked of the site's own store alone, whatever the warehouse.
STORE_JOBS: dict[str, Callable[[Experiment], Any]] = {"explore": lambda _: explore(), "newest": lambda _: newest()}
