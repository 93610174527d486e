"""Export and import of the whole catalogue as YAML: a preview of the changes, then all of them in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Prefetch

from events.metric_catalogue import save, yaml_file
from events.metric_catalogue.about import About
from events.metric_catalogue.yaml_file import CERTIFIED, DEPRECATED, Entry, WrongFileError
from events.metric_catalogue.yaml_nodes import LARGEST_FILE
from events.models import Metric, MetricVersion
from runs.refusals import Refused

SUFFIXES = (".yaml", ".yml")
MOST_FILES = 500


@dataclass(frozen=True)
class MetricChange:
    """A change that an import would make to one metric.

    Attributes:
        key: of the metric.
        fields: name, old value, new value; empty for a new metric.
        place: file and line.
    """

    key: str
    fields: tuple[tuple[str, str, str], ...]
    place: str


def with_versions() -> "Iterable[Metric]":
    """All metrics with their versions, in two queries."""
    return Metric.objects.order_by("key").prefetch_related(Prefetch("versions", MetricVersion.objects.all()))


def entry_of(row: Metric) -> Entry:
    """A metric as an entry of a file."""
    about = About(row.name_en, row.name_ko, row.description, row.owner, tuple(row.tag_list), row.unit)
    return Entry(row.key, about, row.current.facts, row.status)


def export_text() -> str:
    """The catalogue as one YAML file."""
    return yaml_file.write(entry_of(row) for row in with_versions())


def read_place(place: Path) -> list[Entry]:
    """The metrics of a file, or of all YAML files of a folder and its sub-folders.

    Raises:
        WrongFileError: with one sentence for each error of each file.
        Refused: there is no such file, or there are too many.
    """
    files = _files(place)
    entries: list[Entry] = []
    mistakes: list[Refused] = []
    for file in files:
        name = str(file.relative_to(place)) if place.is_dir() else file.name
        try:
            with file.open("rb") as stream:
                data = stream.read(LARGEST_FILE + 1)
            entries += yaml_file.read(data, name)
        except WrongFileError as wrong:
            mistakes += wrong.mistakes
        except OSError as trouble:
            raise Refused("{file} can't be read: {why}.", file=name, why=trouble.strerror or trouble) from None
    places: dict[str, str] = {}
    for entry in entries:
        if entry.key in places and len(files) > 1:
            mistakes.append(
                Refused(
                    "{place}: the metric {key} stands in {other}, too",
                    place=entry.place,
                    key=entry.key,
                    other=places[entry.key],
                )
            )
        places.setdefault(entry.key, entry.place)
    if mistakes:
        raise WrongFileError(mistakes)
    return entries


def changes(entries: Sequence[Entry]) -> list[MetricChange]:
    """The changes that an import would make, ordered by key; nothing is written."""
    stored = {row.key: entry_of(row) for row in with_versions()}
    found = []
    for entry in sorted(entries, key=lambda one: one.key):
        before = stored.get(entry.key)
        fields = () if before is None else _differences(before, entry)
        if before is None or fields:
            found.append(MetricChange(entry.key, fields, entry.place))
    return found


def import_entries(entries: Sequence[Entry], *, by: User | None = None, why: str = "imported") -> list[MetricChange]:
    """Apply the entries to the catalogue, all or nothing. Metrics that they don't name stay as they are.

    Running plans keep their definition: they have a copy of it, with the version that it came from.

    Args:
        entries: of `read_place`.
        by: who imports.
        why: reason, stored with new versions.

    Raises:
        Refused: when one change is refused; then nothing has changed.
    """
    with transaction.atomic():
        found = changes(entries)
        wanted = {change.key for change in found}
        existing = set(Metric.objects.filter(key__in=wanted).values_list("key", flat=True))
        for entry in entries:
            if entry.key in wanted:
                _apply(entry, by, why, new=entry.key not in existing)
    return found


def _apply(entry: Entry, by: User | None, why: str, *, new: bool) -> None:
    if new:
        row = save.create_metric(key=entry.key, about=entry.about, facts=entry.facts, by=by, why=why)
    else:
        row = save.change_metric(key=entry.key, about=entry.about, facts=entry.facts, by=by, why=why)
    if row.status == entry.status:
        return
    if entry.status == DEPRECATED:
        save.deprecate(key=entry.key, by=by, why=why)
        return
    if row.is_deprecated or entry.status != CERTIFIED:
        row = save.take_up_again(key=entry.key, by=by, why=why)
    if entry.status == CERTIFIED:
        save.certify(key=entry.key, version=row.version)  # a file names no person: whoever reviewed it certifies


def _differences(before: Entry, after: Entry) -> tuple[tuple[str, str, str], ...]:
    pairs = [(asdict(before.about), asdict(after.about)), (asdict(before.facts), asdict(after.facts))]
    found = [(name, old[name], new[name]) for old, new in pairs for name in old if old[name] != new[name]]
    if before.status != after.status:
        found.append(("status", before.status, after.status))
    return tuple((name, _said(old), _said(new)) for name, old, new in found)


def _said(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        found = sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES and path.is_file())
        if len(found) > MOST_FILES:
            raise Refused("The folder has more than {most} YAML files.", most=MOST_FILES)
        if not found:
            raise Refused("The folder {place} has no YAML file.", place=place)
        return found
    if not place.is_file():
        raise Refused("There is no file {place}.", place=place)
    return [place]
