"""`promote`: export the definition of an experiment to another environment, or import one."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from experiments.models import Experiment
from experiments.serve.http_body import BadBodyError, parse
from insight_site.exports.copy_definition import bring
from insight_site.exports.definition import definition_of
from runs.refusals import Refused
from runs.terminal import refuse, write_json

MOST_BYTES = 1024 * 1024


class Command(BaseCommand):
    help = (
        "Export the definition of an experiment (KEY), or import one from a file (--from FILE, - for standard input)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", nargs="?", metavar="KEY", help="key of an experiment of this site")
        parser.add_argument("--from", dest="file", metavar="FILE", help="definition exported by another site")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        if (options["key"] is None) == (options["file"] is None):
            raise CommandError("Give either KEY or --from FILE.", returncode=2)
        try:
            if options["key"]:
                write_json(self.stdout, _definition(options["key"]))
                return
            experiment = bring(_read(options["file"]), by=None)
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, {"key": experiment.key, "status": experiment.status, "version": experiment.version})
        else:
            self.stdout.write(_("{key} is a draft here. Check it and start it.").format(key=experiment.key))


def _definition(key: str) -> dict[str, Any]:
    experiment = Experiment.objects.filter(key=key).first()
    if experiment is None:
        raise Refused("There is no experiment {key}.", key=key)
    return definition_of(experiment)


def _read(place: str) -> Any:
    try:
        return parse(sys.stdin.buffer.read(MOST_BYTES) if place == "-" else Path(place).read_bytes()[:MOST_BYTES])
    except OSError:
        raise Refused("{path} can't be read.", at="from", path=place) from None
    except BadBodyError:
        raise Refused("{path} is no JSON.", at="from", path=place) from None
