"""`verify`: check the signature of a final analysis or a map of causes and compute it again (docs/verify.md)."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import translation

from experiments.models import Experiment
from insight_site.exports import check_final
from insight_site.exports.check_final import State, Verification, check_document, unsigned
from insight_site.exports.check_map import MAP, check_map, document_of_map
from insight_site.exports.sign import final_of, is_map, read_document, signed_document
from runs.refusals import Refused
from runs.terminal import Bar, add_language, refuse, write_json


class Command(BaseCommand):
    help = "Verify the signature of a final analysis or map of causes, recompute it; exit status 1 unless equal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "what",
            metavar="KEY|FILE|map:SPEC",
            help="key of an experiment, a signed document, or map: and the outcome of a map",
        )
        parser.add_argument("--keys", metavar="FILE", help="public keys of another site: its insight-keys.json")
        add_language(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"]):
            try:
                verification = _checked(options["what"], _keys(options["keys"]))
            except Refused as refusal:
                refuse(refusal)
            if options["json"]:
                write_json(self.stdout, check_final.as_json(verification))
            else:
                for line in check_final.sentences(verification):
                    self.stdout.write(line)
        if verification.state is not State.EQUAL:
            raise SystemExit(1)


def _checked(what: str, keys: dict[str, str]) -> Verification:
    path = Path(what)
    if path.is_file():
        document = read_document(_bytes(path))
    elif what.startswith(MAP):
        document = document_of_map(what.removeprefix(MAP))
    else:
        row = final_of(what)
        if row is None and not Experiment.objects.filter(key=what).exists():
            raise Refused("There is no experiment '{key}', and no file of that name.", key=what)
        if row is None:
            raise Refused("The experiment '{key}' has no final analysis yet.", key=what)
        signed = signed_document(row)
        if signed is None:
            return unsigned(row)
        document = signed
    if is_map(document):
        return check_map(document, keys=keys)
    with Bar() as bar:
        return check_document(document, keys=keys, progress=bar.show)


def _keys(name: str | None) -> dict[str, str]:
    """Public keys by their id, from a file such as `/.well-known/insight-keys.json`."""
    if not name:
        return {}
    try:
        document = json.loads(_bytes(Path(name)))
        return {str(key["kid"]): str(key["x"]) for key in document["keys"]}
    except (ValueError, KeyError, TypeError):
        raise Refused("The file {name} holds no public keys.", at="--keys", name=name) from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as trouble:
        raise Refused("{name} can't be read ({why}).", name=str(path), why=trouble.strerror or "") from None
