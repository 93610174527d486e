"""Write made-up users and events into an empty site's store. For the worker alone: it loads the engine of imports."""

import tempfile
from pathlib import Path

from events import simulation
from events.catalogue import refresh
from events.importing.import_file import import_files
from events.importing.options import ImportOptions
from insight_site.connect.sample import is_possible

WORLD, USERS, SEED = "step", 5_000, 20_260
OPTIONS = ImportOptions(user="user_id", time="time", event="event", properties=("properties",), message_id="message_id")


def write_sample() -> int:
    """Write the sample and list it; the number of events, 0 when the site has events by now."""
    if not is_possible():
        return 0
    world = simulation.WORLDS[WORLD]
    made = simulation.simulate(world, USERS, SEED, simulation.draw_arms(world, USERS, SEED))
    with tempfile.TemporaryDirectory() as folder:
        paths = simulation.write_files(made, Path(folder))
        report = import_files([paths["events.parquet"]], OPTIONS)
    refresh.refresh_if_due()
    return report.imported
