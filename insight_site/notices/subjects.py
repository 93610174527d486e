"""The row that a notice is about: its name, its page, and who is concerned."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import reverse

from aha.models import AhaMoment
from experiments.models import Amendment, Analysis, Experiment, PlanComment
from insight_site.notices.notice_kinds import ADMINS, OWNER, REVIEWERS, WATCHERS, Kind
from runs.kinds import find_kind

EXPERIMENT, MOMENT, PART = "experiments.Experiment", "aha.AhaMoment", "part"
MAY_REVIEW = "experiments.change_experiment"


@dataclass(frozen=True)
class Subject:
    """The fields of a row that a notice may show.

    Attributes:
        name: in the active language.
        path: of its page.
        whole_clusters: the experiment's verdict is about whole clusters, not about a member's own behaviour.
    """

    name: str
    path: str
    whole_clusters: bool = False


def find_subject(label: str, row: str) -> Subject | None:
    """The row's name and page; None when it is deleted."""
    if label == PART:
        return Subject(row, reverse("admin:index"))
    found = _row(label, row)
    if isinstance(found, Experiment):
        return Subject(found.title, reverse("experiments:report", args=[found.key]), found.moves_whole_clusters)
    if isinstance(found, AhaMoment):
        return Subject(str(found.name), reverse("aha:moment", args=[found.key]))
    kind = find_kind(label)
    return None if found is None or kind is None else Subject(str(found), kind.url(found))  # type: ignore[arg-type]


def concerned(kind: Kind, label: str, row: str, *, to: Iterable[int] = ()) -> set[int]:
    """The accounts that are notified by default.

    Args:
        kind: of the notice; its `concerned` says who.
        label, row: the subject.
        to: accounts named by the event, such as reviewers; if empty, everybody who may review.
    """
    found, named = _row(label, row), set(to)
    who: dict[str, Callable[[], Iterable[int | None]]] = {
        OWNER: lambda: _owner(found),
        WATCHERS: lambda: _watchers(found),
        REVIEWERS: lambda: named or _with_permission(MAY_REVIEW),
        ADMINS: _admins,
    }
    return {pk for name in kind.concerned for pk in who[name]() if pk is not None} | named


def _row(label: str, row: str) -> Model | None:
    if not row.isdecimal():
        return None
    if label == EXPERIMENT:
        return Experiment.objects.select_related("moment").filter(pk=int(row)).first()
    if label == MOMENT:
        return AhaMoment.objects.light("study").filter(pk=int(row)).first()
    kind = find_kind(label)
    return None if kind is None else kind.light().filter(pk=int(row)).first()


def _owner(row: Any) -> Iterator[int | None]:
    """The row's maker; for a scheduled computation, the maker of what it is about."""
    if row is not None:
        yield row.created_by_id
    if isinstance(row, Analysis) and row.created_by_id is None:
        yield row.experiment.created_by_id


def _watchers(row: Any) -> Iterator[int | None]:
    """People who worked on an experiment: commented on its plan, amended it, or requested an analysis."""
    if isinstance(row, Experiment):
        yield from PlanComment.objects.filter(experiment=row).values_list("by", flat=True)
        yield from Amendment.objects.filter(experiment=row).values_list("by", flat=True)
        yield from Analysis.objects.filter(experiment=row).values_list("created_by", flat=True)


def _with_permission(permission: str) -> Iterator[int]:
    yield from User.objects.with_perm(permission, backend=BACKEND).values_list("pk", flat=True)


def _admins() -> Iterator[int]:
    yield from User.objects.filter(is_active=True, is_superuser=True).values_list("pk", flat=True)
    yield from User.objects.filter(is_active=True, groups__name="Admin").values_list("pk", flat=True)


BACKEND = "django.contrib.auth.backends.ModelBackend"
