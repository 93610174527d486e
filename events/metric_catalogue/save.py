"""Services that create, change, certify and deprecate metrics; each locks the row, checks, writes and keeps history."""

from dataclasses import asdict

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from events.metric_catalogue.about import About, checked_about
from events.metrics.facts import Facts, checked, is_key
from events.models import Metric, MetricVersion
from runs.refusals import Refused

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
        found = row.current
        if row.is_deprecated:
            raise Refused("A deprecated metric isn't certified. Take it up again first.")
        if found.number != version:
            raise Refused(
                "Version {asked} isn't the newest one: look at version {newest}.", asked=version, newest=found.number
            )
        if by is not None and found.created_by_id == by.pk and _others(by):
            raise Refused("You wrote this version, so somebody else certifies it.")
        if found.certified_at is None:
            found.certified_by, found.certified_at = by, timezone.now()
            found.save(update_fields=["certified_by", "certified_at"])
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
        found = row.current
        if found.certified_at is not None:
            found.certified_by, found.certified_at = None, None
            found.save(update_fields=["certified_by", "certified_at"])
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
