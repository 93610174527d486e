"""Make and change metrics, one by one or all from files: lock the row, check, write, keep history."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Prefetch
from django.utils import timezone

from events.catalogue import yaml_file
from events.catalogue.yaml_file import CERTIFIED, DEPRECATED, LARGEST_FILE, Entry, WrongFileError
from events.metrics.facts import About, Facts, checked, checked_about, is_key
from events.models import Metric, MetricVersion
from runs.refusals import Refused

# Services that create, change, certify and deprecate metrics; each locks the row, checks, writes and keeps history.

BACKEND = "django.contrib.auth.backends.ModelBackend"  # roles are groups, whichever way a person signs in
CHANGE = "events.change_metric"
Status = Metric.Status


def create_metric(*, key: str, about: About, facts: Facts, by: User | None = None, why: str = "") -> Metric:
    """Add a metric to the catalogue, with its first version as a draft.

    Args:
        key: identifies it in plans, files and programs; it never changes.
        about: its descriptive fields.
        facts: its definition.
        by: who makes it.
        why: reason, stored with the version.

    Raises:
        Refused: the key is invalid or taken, or a field has an invalid value; `at` names it.
    """
    if not is_key(key):
        raise Refused("A key has small letters, digits, dots, dashes and underscores, at most 64.", at="key")
    about, facts = checked_about(about), checked(facts)
    row = Metric(key=key, created_by=by, **_columns(about))
    try:
        with transaction.atomic():
            _save(row, by, why or "created")
            _add_version(row, facts, by, why)
    except IntegrityError:
        raise Refused("There is a metric '{key}' already.", key=key, at="key") from None
    return row


def change_metric(
    *, key: str, about: About | None = None, facts: Facts | None = None, by: User | None = None, why: str = ""
) -> Metric:
    """Change a metric's descriptive fields or its definition; another definition makes a new version, as a draft.

    Args:
        key: of the metric.
        about: None leaves them as they are.
        facts: None leaves the definition as it is; the same one makes no version.
        by: who changes it.
        why: reason, stored with the version.

    Raises:
        Refused: there is no such metric, or a field has an invalid value.
    """
    about = None if about is None else checked_about(about)
    facts = None if facts is None else checked(facts)
    with transaction.atomic():
        row = locked(key)
        columns = {} if about is None else _columns(about)
        if any(getattr(row, name) != value for name, value in columns.items()):
            for name, value in columns.items():
                setattr(row, name, value)
            _save(row, by, why or "changed")
        if facts is not None and facts != row.current.facts:
            _add_version(row, facts, by, why)
    return row


def certify(*, key: str, version: int, by: User | None = None) -> Metric:
    """Certify a version. Its author may only do so if no other account can.

    Args:
        key: of the metric.
        version: the number that was reviewed, so that a newer one isn't certified by accident.
        by: who certifies; None for a key, or a file.

    Raises:
        Refused: it isn't the newest version, is deprecated, or its author certifies.
    """
    with transaction.atomic():
        row = locked(key)
        current = row.current
        if row.is_deprecated:
            raise Refused("A deprecated metric isn't certified. Take it up again first.")
        if current.number != version:
            raise Refused(
                "Version {asked} isn't the newest one: take version {newest}.", asked=version, newest=current.number
            )
        if by is not None and current.created_by_id == by.pk and _others(by):
            raise Refused("You wrote this version, so somebody else certifies it.")
        if current.certified_at is None:
            current.certified_by, current.certified_at = by, timezone.now()
            current.save(update_fields=["certified_by", "certified_at"])
        _to(row, Status.CERTIFIED, by, f"version {version} certified")
    return row


def deprecate(*, key: str, by: User | None = None, why: str = "") -> Metric:
    """Deprecate a metric: it can't be picked any more. Running plans continue and show it.

    Raises:
        Refused: there is no such metric.
    """
    with transaction.atomic():
        row = locked(key)
        _to(row, Status.DEPRECATED, by, why or "deprecated")
    return row


def take_up_again(*, key: str, by: User | None = None, why: str = "") -> Metric:
    """Make a deprecated or certified metric a draft again, with its current version, which must be certified again.

    Raises:
        Refused: there is no such metric.
    """
    with transaction.atomic():
        row = locked(key)
        current = row.current
        if current.certified_at is not None:
            current.certified_by, current.certified_at = None, None
            current.save(update_fields=["certified_by", "certified_at"])
        _to(row, Status.DRAFT, by, why or "taken up again")
    return row


def locked(key: str) -> Metric:
    """The row of a metric, locked until the end of the transaction.

    Raises:
        Refused: when there is none.
    """
    row = Metric.objects.select_for_update().filter(key=key).first()
    if row is None:
        raise Refused("There is no metric '{key}'.", key=key)
    return row


def _to(row: Metric, status: str, by: User | None, why: str) -> None:
    if row.status != status:
        row.status = status
        _save(row, by, why)


def _add_version(row: Metric, facts: Facts, by: User | None, why: str) -> None:
    MetricVersion.objects.create(
        metric=row, number=row.version + 1, hash=facts.hash, why=why.strip()[:300], created_by=by, **asdict(facts)
    )
    row.version += 1
    row.status = Status.DRAFT
    _save(row, by, why or f"version {row.version}")


def _save(row: Metric, by: User | None, why: str) -> None:
    row._history_user = by  # type: ignore[attr-defined]
    row._change_reason = why[:100]  # type: ignore[attr-defined]
    row.save()


def _columns(about: About) -> dict[str, object]:
    return {**asdict(about), "tags": f",{','.join(about.tags)}," if about.tags else ""}


def _others(by: User) -> bool:
    """Whether another account may change metrics."""
    return User.objects.with_perm(CHANGE, backend=BACKEND).exclude(pk=by.pk).exists()


# Export and import of the whole catalogue as YAML: a preview of the changes, then all of them in one transaction.

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
    changed = []
    for entry in sorted(entries, key=lambda entry: entry.key):
        before = stored.get(entry.key)
        fields = () if before is None else _differences(before, entry)
        if before is None or fields:
            changed.append(MetricChange(entry.key, fields, entry.place))
    return changed


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
        changed = changes(entries)
        wanted = {change.key for change in changed}
        existing = set(Metric.objects.filter(key__in=wanted).values_list("key", flat=True))
        for entry in entries:
            if entry.key in wanted:
                _apply(entry, by, why, new=entry.key not in existing)
    return changed


def _apply(entry: Entry, by: User | None, why: str, *, new: bool) -> None:
    if new:
        row = create_metric(key=entry.key, about=entry.about, facts=entry.facts, by=by, why=why)
    else:
        row = change_metric(key=entry.key, about=entry.about, facts=entry.facts, by=by, why=why)
    if row.status == entry.status:
        return
    if entry.status == DEPRECATED:
        deprecate(key=entry.key, by=by, why=why)
        return
    if row.is_deprecated or entry.status != CERTIFIED:
        row = take_up_again(key=entry.key, by=by, why=why)
    if entry.status == CERTIFIED:
        certify(key=entry.key, version=row.version)  # a file names no person: whoever reviewed it certifies


def _differences(before: Entry, after: Entry) -> tuple[tuple[str, str, str], ...]:
    pairs = [(asdict(before.about), asdict(after.about)), (asdict(before.facts), asdict(after.facts))]
    differences = [(name, old[name], new[name]) for old, new in pairs for name in old if old[name] != new[name]]
    if before.status != after.status:
        differences.append(("status", before.status, after.status))
    return tuple((name, _said(old), _said(new)) for name, old, new in differences)


def _said(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


def _files(place: Path) -> list[Path]:
    if place.is_dir():
        files = sorted(path for path in place.rglob("*") if path.suffix in SUFFIXES and path.is_file())
        if len(files) > MOST_FILES:
            raise Refused("The folder has more than {most} YAML files.", most=MOST_FILES)
        if not files:
            raise Refused("The folder {place} has no YAML file.", place=place)
        return files
    if not place.is_file():
        raise Refused("There is no file {place}.", place=place)
    return [place]
