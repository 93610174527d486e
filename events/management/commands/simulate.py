"""`simulate`: write the files of a simulated world with known truth."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from events.simulation import WORLDS, World, draw_arms, simulate, write_files
from events.simulation.generate import check_request
from runs.terminal import write_json


class Command(BaseCommand):
    help = "Writes events.parquet, users.parquet and truth.json of a simulated world with known truth."
    # It only writes files: a database that isn't there yet must not stop it.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("out_dir", metavar="OUT_DIR", help="folder for the three files; made if needed")
        parser.add_argument("--world", default="step", metavar="NAME", help="one of: " + ", ".join(WORLDS))
        parser.add_argument("--units", type=int, metavar="N", help="number of users; default 20000, in noise 2000")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="same seed, same files; default 1")
        parser.add_argument(
            "--assign-by", choices=("user", "guild"), default="user", help="who is assigned as a whole; default user"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document with paths and counts")

    def _request(self, options: dict[str, Any]) -> tuple[World, int, int, Path]:
        world = WORLDS.get(options["world"])
        if world is None:
            raise CommandError(
                _("--world: there is no world %(name)s; the worlds are %(names)s.")
                % {"name": options["world"], "names": ", ".join(WORLDS)},
                returncode=2,
            )
        units, seed = world.units if options["units"] is None else options["units"], options["seed"]
        folder = Path(options["out_dir"])
        try:
            check_request(units, seed)
        except ValueError as error:
            raise CommandError(f"--{error}.", returncode=2) from error
        if folder.exists() and not folder.is_dir():
            raise CommandError(_("OUT_DIR: %(path)s is not a folder.") % {"path": folder}, returncode=2)
        return world, units, seed, folder

    def handle(self, *args: Any, **options: Any) -> None:
        world, units, seed, folder = self._request(options)
        arms = draw_arms(world, units, seed, by_guild=options["assign_by"] == "guild")
        simulation = simulate(world, units, seed, arms)
        try:
            paths = write_files(simulation, folder)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CommandError(
                _("OUT_DIR: %(path)s can't be written (%(reason)s).") % {"path": folder, "reason": reason}, returncode=2
            ) from error
        for path in paths.values():
            self.stderr.write(_("Wrote %(path)s") % {"path": path})
        counts = {
            "world": world.name,
            "seed": seed,
            "users": units,
            "events": int(simulation.log.user.size),
            "exposed": int(simulation.exposed.sum()),
        }
        if options["json"]:
            files = {name: str(path) for name, path in paths.items()}
            write_json(self.stdout, {**counts, "files": files, "parameters_hash": world.parameter_hash})
            return
        for name, value in counts.items():
            self.stdout.write(f"{name:<8} {value:>12}")
