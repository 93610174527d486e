"""Write sample data into an empty store, and take them out. Only for the worker: it imports the import engine."""

import tempfile
from pathlib import Path

from events import data_retention, simulation
from events.catalogue import refresh
from events.importing.import_file import import_files
from events.importing.options import ImportOptions
from insight_site.connect import first_day

WORLD, USERS, SEED = "step", 5_000, 20_260
OPTIONS = ImportOptions(user="user_id", time="time", event="event", properties=("properties",), message_id="message_id")


def write_sample() -> int:
    """Write the sample and update the event catalogue; returns the number of events, 0 if the site has some by now."""
    if not first_day.is_possible():
        return 0
    world = simulation.WORLDS[WORLD]
    made = simulation.simulate(world, USERS, SEED, simulation.draw_arms(world, USERS, SEED))
    with tempfile.TemporaryDirectory() as folder:
        paths = simulation.write_files(made, Path(folder))
        report = import_files([paths["events.parquet"]], OPTIONS)
    first_day.note_sample(users=USERS, events=report.imported)
    refresh.refresh_if_due()
    return report.imported


def remove_sample() -> int:
    """Take the sample's events out of the store, and list the rest anew; returns how many went."""
    sample = first_day.sample_here()
    if sample is None:
        return 0
    removed = data_retention.forget_made_up(simulation.unit_ids(sample.users))
    first_day.forget_sample()
    if not refresh.make_catalogue():  # another process makes one now, or nothing is left
        refresh.request_catalogue()
    return removed
