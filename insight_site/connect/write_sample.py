"""Write sample data into an empty site's store. Only for the worker: it imports the import engine."""

import tempfile
from pathlib import Path

from events import simulation
from events.catalogue import refresh
from events.importing.import_file import import_files
from events.importing.options import ImportOptions
from insight_site.connect.first_day import is_possible

WORLD, USERS, SEED = "step", 5_000, 20_260
OPTIONS = ImportOptions(user="user_id", time="time", event="event", properties=("properties",), message_id="message_id")


def write_sample() -> int:
    """Write the sample and update the event catalogue; returns the number of events, 0 if the site has some by now."""
    if not is_possible():
        return 0
    world = simulation.WORLDS[WORLD]
    made = simulation.simulate(world, USERS, SEED, simulation.draw_arms(world, USERS, SEED))
    with tempfile.TemporaryDirectory() as folder:
        paths = simulation.write_files(made, Path(folder))
        report = import_files([paths["events.parquet"]], OPTIONS)
    refresh.refresh_if_due()
    return report.imported
