"""The kinds of notices in one table, what each says in the active language, and the row that it is about."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from aha.models import AhaMoment
from experiments.analyse.codes import Code, code_words
from experiments.models import Amendment, Analysis, Experiment, PlanComment
from insight_site.models import Timing
from insight_site.operate.component_health import SIGNS
from reporting.words import fitted, gettext, later
from runs.kinds import find_kind

# The kinds of notices in one table: content, recipients, and default timing.

OWNER, WATCHERS, REVIEWERS, ADMINS = "owner", "watchers", "reviewers", "admins"
FINAL = ":final"  # suffix of the code of a final verdict
SEE_EXPERIMENT, SEE_MOMENT = "experiments.view_experiment", "aha.view_ahamoment"


@dataclass(frozen=True)
class Kind:
    """One kind.

    Attributes:
        key: stored in rows, so it never changes.
        title: name in the preferences.
        concerned: recipients by default: OWNER made the row, WATCHERS worked on it, REVIEWERS were asked for a review,
            ADMINS run the site.
        needs: the permission to view the row, without which nobody is notified.
        timing: when they are notified by default.
        codes: the codes that a notice may hold besides the row. A notice can't hold any other text or number.
        outcome: it states a result, so it requires an open outcome (`insight_site.notify.dispatch`).
        by_row: it is about single rows, and people may subscribe to other people's rows too.
    """

    key: str
    title: Promise
    concerned: tuple[str, ...]
    needs: str = SEE_EXPERIMENT
    timing: str = Timing.AT_ONCE
    codes: frozenset[str] = frozenset({""})
    outcome: bool = False
    by_row: bool = True


KINDS = (
    Kind("started", _("An experiment starts"), (OWNER, WATCHERS)),
    Kind("stopped", _("An experiment stops"), (OWNER, WATCHERS)),
    Kind("review_requested", _("A plan needs your review"), (REVIEWERS,)),
    Kind("review_answered", _("A plan was reviewed"), (OWNER, WATCHERS)),
    Kind("comment", _("A comment on a plan"), (OWNER, WATCHERS)),
    Kind("rollout", _("A rollout changes"), (OWNER, WATCHERS)),
    Kind("sample_ratio", _("The sample ratio is broken"), (OWNER, WATCHERS)),
    Kind("guardrail", _("A guardrail raises its alarm"), (OWNER, WATCHERS)),
    Kind("look_due", _("A planned analysis is due"), (OWNER, WATCHERS)),
    Kind(
        "verdict",
        _("An experiment has a verdict"),
        (OWNER, WATCHERS),
        codes=frozenset(code.value + end for code in Code for end in ("", FINAL)),
        outcome=True,
    ),
    Kind("share_falling", _("The weekly share of a moment falls"), (OWNER,), SEE_MOMENT, Timing.DAILY),
    Kind("run_failed", _("A computation that I asked for fails"), (OWNER,), ""),
    Kind("part_unwell", _("A part of the site needs a hand"), (ADMINS,), "", codes=frozenset(SIGNS), by_row=False),
)
BY_KEY = {kind.key: kind for kind in KINDS}


# What a notice says, in the language that is active, and the row that it is about.

# The row that a notice is about: its name, its page, and who is concerned.

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
    thing = _row(label, row)
    if isinstance(thing, Experiment):
        return Subject(thing.title, reverse("experiments:report", args=[thing.key]), thing.moves_whole_clusters)
    if isinstance(thing, AhaMoment):
        return Subject(str(thing.name), reverse("aha:moment", args=[thing.key]))
    kind = find_kind(label)
    return None if thing is None or kind is None else Subject(str(thing), kind.url(thing))  # type: ignore[arg-type]


def concerned(kind: Kind, label: str, row: str, *, to: Iterable[int] = ()) -> set[int]:
    """The accounts that are notified by default.

    Args:
        kind: of the notice; its `concerned` says who.
        label, row: the subject.
        to: accounts named by the event, such as reviewers; if empty, everybody who may review.
    """
    thing, named = _row(label, row), set(to)
    who: dict[str, Callable[[], Iterable[int | None]]] = {
        OWNER: lambda: _owner(thing),
        WATCHERS: lambda: _watchers(thing),
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


# The text of a notice in the active language, from its kind, a name and a code alone.
#
# So no template can disclose more than a notice holds: no number, no arm and no outcome, except the heading of a
# verdict, which `insight_site.notify.dispatch` gives only for an open outcome.


@dataclass(frozen=True)
class Said:
    """A notice in words.

    Attributes:
        title: one line, for a subject.
        text: one or two sentences.
        path: of the page that it leads to.
    """

    title: str
    text: str
    path: str


def say_notice(kind: str, label: str, row: str, code: str) -> Said | None:
    """The words of a stored notice; None when its row or its kind no longer exists."""
    subject = find_subject(label, row)
    if subject is None or kind not in BY_KEY or code not in BY_KEY[kind].codes:
        return None
    title, text = _verdict(code, subject.whole_clusters) if kind == "verdict" else map(gettext, _TEXTS[kind])
    return Said(_with(title, subject.name), _with(text, subject.name), subject.path)


def _with(text: str, name: str) -> str:
    """Fill in the name, with Korean particles that match its last sound."""
    return str(fitted(text).format(name=name))


def _verdict(code: str, whole_clusters: bool) -> tuple[str, str]:
    words = code_words(Code(code.removesuffix(FINAL)), whole_clusters=whole_clusters)
    if code.endswith(FINAL):
        text = gettext("The final analysis of “{name}” says: {verdict}.")
    else:
        text = gettext("“{name}” has a verdict at a planned analysis: {verdict}.")
    return gettext("Verdict: {name}"), text.replace("{verdict}", words)


# By kind: the subject and the text of a notice. A verdict has its own words.
_TEXTS = {
    "started": (later("Started: {name}"), later("The experiment “{name}” has started.")),
    "stopped": (later("Stopped: {name}"), later("The experiment “{name}” has stopped. No new user gets in.")),
    "review_requested": (
        later("Review asked for: {name}"),
        later("The plan of “{name}” needs a review before it can start."),
    ),
    "review_answered": (later("Plan reviewed: {name}"), later("Somebody has answered the request to review “{name}”.")),
    "comment": (later("Comment: {name}"), later("There is a new comment on the plan of “{name}”.")),
    "rollout": (later("Rollout: {name}"), later("The rollout of “{name}” has changed its state or step.")),
    "sample_ratio": (
        later("Sample ratio broken: {name}"),
        later(
            "“{name}” has other group sizes than planned, by more than chance explains. Its data can't answer until "
            "the cause is found. You hear of it again only when it changes."
        ),
    ),
    "guardrail": (
        later("Guardrail alarm: {name}"),
        later(
            "A guardrail of “{name}” raises its alarm. Guardrails may be read every night, whatever the plan says of "
            "the outcome. Its page says which one."
        ),
    ),
    "look_due": (
        later("Planned analysis: {name}"),
        later("“{name}” has come to a planned analysis. Its page shows the outcome from now on."),
    ),
    "share_falling": (
        later("Weekly share falls: {name}"),
        later(
            "In the last complete week fewer new users did “{name}” than its own weeks before lead to expect. Its "
            "page shows the weeks."
        ),
    ),
    "run_failed": (later("Failed: {name}"), later("“{name}” could not be computed. Its page says why.")),
    "part_unwell": (
        later("Needs a hand: {name}"),
        later(
            "The part “{name}” of this site failed two checks, one after the other. “manage.py doctor” says what is "
            "wrong and how to mend it."
        ),
    ),
}
