"""`simulate`: write the files of a simulated world with known truth."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from events.simulation import WORLDS, World, draw_arms, simulate, write_files
from events.simulation.event_worlds import EVENT_WORLDS, USERS, write_event
from events.simulation.generate import check_request
from events.simulation.growth_worlds import GROWTH_WORLDS, write_growth
from events.simulation.growth_worlds import SIGNUPS as GROWTH_SIGNUPS
from events.simulation.launch_worlds import LAUNCH_WORLDS, SIGNUPS, write_launch
from events.simulation.level_worlds import LEVEL_WORLDS, write_levels
from events.simulation.level_worlds import USERS as LEVEL_USERS
from events.simulation.many_tests import MANY_TESTS, USERS_OF_A_TEST, simulate_tests, write_tests
from runs.terminal import write_json

# Worlds with files of their own: how each is written, and its size unless said otherwise.
OWN: dict[str, tuple[Any, Any, int]] = {
    name: (write, world, usual)
    for worlds, write, usual in (
        (LAUNCH_WORLDS, write_launch, SIGNUPS),
        (EVENT_WORLDS, write_event, USERS),
        (LEVEL_WORLDS, write_levels, LEVEL_USERS),
        (GROWTH_WORLDS, write_growth, GROWTH_SIGNUPS),
    )
    for name, world in worlds.items()
}
NAMES = (*WORLDS, MANY_TESTS, *OWN)


class Command(BaseCommand):
    help = (
        "Writes events.parquet, users.parquet and truth.json of a simulated world with known truth; of many_tests one "
        "CSV file per test and truth.json; of a launch world events.parquet, calendar.csv and truth.json; of an event "
        "world events.parquet, rules.json and truth.json; of a world of levels and a growth world events.parquet and "
        "truth.json."
    )
    # It only writes files: a missing database must not stop it.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out_dir", metavar="OUT_DIR", help="output folder; created if missing")
        parser.add_argument("--world", default="step", metavar="NAME", help="one of: " + ", ".join(NAMES))
        parser.add_argument(
            "--units",
            type=int,
            metavar="N",
            help="number of users; default 20000, noise 2000, many_tests 3000 of each test, a launch world 100 a day, "
            "an event world 4000 at any time, a world of levels 6000, a growth world 8 a day",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=1,
            metavar="S",
            help="random seed; the same seed gives the same files; default 1",
        )
        parser.add_argument(
            "--assign-by", choices=("user", "guild"), default="user", help="unit of assignment; default user"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document with paths and counts")

    def _request(self, options: dict[str, Any]) -> tuple[str, int, int, Path]:
        name = options["world"]
        if name not in NAMES:
            raise CommandError(
                _("--world: there is no world %(name)s; the worlds are %(names)s.")
                % {"name": name, "names": ", ".join(NAMES)},
                returncode=2,
            )
        usual = _usual(name)
        units, seed = usual if options["units"] is None else options["units"], options["seed"]
        folder = Path(options["out_dir"])
        try:
            check_request(units, seed)
        except ValueError as error:
            raise CommandError(f"--{error}.", returncode=2) from error
        if folder.exists() and not folder.is_dir():
            raise CommandError(_("OUT_DIR: %(path)s is not a folder.") % {"path": folder}, returncode=2)
        return name, units, seed, folder

    def handle(self, *args: Any, **options: Any) -> None:
        name, units, seed, folder = self._request(options)
        try:
            if name == MANY_TESTS:
                counts, paths = _tests(units, seed, folder)
            elif name in OWN:
                write, world, _size = OWN[name]
                counts, paths = write(world, seed, units, folder)
                counts = {"world": name, **counts}
            else:
                counts, paths = _world(WORLDS[name], units, seed, folder, by_guild=options["assign_by"] == "guild")
        except OSError as error:
            reason = error.strerror or str(error)
            raise CommandError(
                _("OUT_DIR: %(path)s can't be written (%(reason)s).") % {"path": folder, "reason": reason}, returncode=2
            ) from error
        for path in paths.values():
            self.stderr.write(_("Wrote %(path)s") % {"path": path})
        if options["json"]:
            files = {file: str(path) for file, path in paths.items()}
            hashes = {} if name not in WORLDS else {"parameters_hash": WORLDS[name].parameter_hash}
            write_json(self.stdout, {**counts, "files": files, **hashes})
            return
        for count, value in counts.items():
            self.stdout.write(f"{count:<8} {value:>12}")


def _usual(name: str) -> int:
    """Users of a world unless said otherwise."""
    if name in OWN:
        return OWN[name][2]
    return WORLDS[name].units if name in WORLDS else USERS_OF_A_TEST


def _world(
    world: World, units: int, seed: int, folder: Path, *, by_guild: bool
) -> tuple[dict[str, str | int], dict[str, Path]]:
    simulation = simulate(world, units, seed, draw_arms(world, units, seed, by_guild=by_guild))
    counts: dict[str, str | int] = {
        "world": world.name,
        "seed": seed,
        "users": units,
        "events": int(simulation.log.user.size),
        "exposed": int(simulation.exposed.sum()),
    }
    return counts, write_files(simulation, folder)


def _tests(units: int, seed: int, folder: Path) -> tuple[dict[str, str | int], dict[str, Path]]:
    simulations = simulate_tests(seed, units)
    users = sum(simulation.units for simulation in simulations)
    counts: dict[str, str | int] = {"world": MANY_TESTS, "seed": seed, "tests": len(simulations), "users": users}
    return counts, write_tests(simulations, seed, folder)
