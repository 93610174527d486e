"""Preview of a study: which users count, which are excluded and why, number of comparisons, run time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from aha.models import Study
from aha.questions.objections import Objection, usual_days
from aha.study.gather import check_population, refuse_marks
from aha.study.null import enough_of, too_small
from aha.study.population import restriction_of
from aha.study.question import MAX_BEHAVIOURS, Inputs
from aha.study.studies import PACE, study_size
from events.catalogue import labels
from events.catalogue.refresh import ready_catalogue
from events.metrics import Active
from events.metrics.sentences import metric_words
from events.pickers.base_rate import BaseRate, RateQuestion, base_rate, in_windows
from events.pickers.quick_fixes import Mendable, QuickFix
from events.warehouse import queries
from events.warehouse.session import questions
from events.windows import Window
from reporting.numbers import count, day_range, day_text
from reporting.words import days_words
from runs.perform import last_spent
from runs.refusals import Refused
from runs.run_times import Told, tell, told_words
from stats.results import NotComputable

USUAL_TIMES = 10
# Windows to suggest where too few users stay, or leave, in the requested one.
WINDOWS = tuple(Window(first, first + 6) for first in (1, 3, 4, 7, 14, 21, 28))
SHORTER = ("window:7-13", "on_day:7", "on_day:3", "on_day:1")


@dataclass(frozen=True)
class StudyPreview:
    """Preview of a study.

    Attributes:
        rate: users, base rate and curve; counts are of a sample where `rate.one_in` is above 1.
        outside: users with known retention outside the chosen segment; None without a segment.
        without: users of the whole log who never did the signup event; None where only a sample was counted.
        behaviours: how many are counted; unlisted: event names beyond the most that a study takes.
        cells: combinations of behaviour, days and number of times.
        takes: expected run time.
    """

    rate: BaseRate
    outside: int | None
    without: int | None
    behaviours: int
    unlisted: int
    cells: int
    takes: Told

    @property
    def eligible(self) -> int:
        """Number of eligible users, extrapolated from the sample."""
        return max(self.rate.eligible * self.rate.one_in - (self.outside or 0), 0)

    @property
    def too_young(self) -> int:
        """Number of users whose retention isn't known yet, extrapolated likewise."""
        return (self.rate.signups - self.rate.eligible) * self.rate.one_in

    @property
    def signups(self) -> int:
        """Number of users who signed up in the dates, extrapolated likewise."""
        return self.rate.signups * self.rate.one_in


def preview(inputs: Inputs) -> StudyPreview:
    """Preview for valid inputs, cached for some minutes.

    Raises:
        Refused: the log or the segment doesn't allow such a study.
    """
    rate = base_rate(rate_question(inputs))
    listed = ready_catalogue()
    names = len(inputs.listed) or len(listed.search("", 10_000))
    start = listed.find(inputs.signup_event) if listed.one_in == 1 else None
    without = None if start is None else listed.users - start.users
    behaviours = min(names, MAX_BEHAVIOURS)
    outside = _outside(inputs)
    cells = behaviours * len(inputs.days) * (inputs.max_times or USUAL_TIMES)
    size = study_size(rate.eligible * rate.one_in - (outside or 0), behaviours)
    takes = tell(PACE, size, last_spent(Study))
    return StudyPreview(rate, outside, without, behaviours, names - behaviours, cells, takes)


def rate_question(inputs: Inputs) -> RateQuestion:
    """The base-rate query for a study's users."""
    first, last = inputs.dates
    return RateQuestion(inputs.retention, inputs.signup_event, first, last, inputs.day_mode)


def data_objections(inputs: Inputs) -> Iterator[Objection]:
    """Field and error for inputs that don't fit the data.

    Raises:
        Refused: as `preview`.
    """
    rate = base_rate(rate_question(inputs))
    if not rate.signups:
        yield from _nobody(inputs)
    elif not rate.eligible:
        yield "retention", _too_young(inputs, rate)
    elif inputs.segment is not None:
        yield from _few_in_segment(inputs)
    else:
        yield from _too_few(inputs, rate)


def _few_in_segment(inputs: Inputs) -> Iterator[Objection]:
    with questions(day_mode=inputs.day_mode) as session:
        refuse_marks(session, inputs)
        try:
            check_population(session, inputs, restriction_of(inputs), for_ranking=True)
        except Refused as refusal:
            yield "segment", Mendable(refusal.sentence, QuickFix("", _("Take all users")))


def _too_few(inputs: Inputs, rate: BaseRate) -> Iterator[Objection]:
    """The error for a study below its minimum numbers of users, with a window or dates that would reach them."""
    if rate.one_in > 1 or isinstance(rate.rate, NotComputable):  # a sample: the study checks all users as it starts
        return
    missing = enough_of(rate.eligible, round(rate.rate.estimate * rate.eligible))
    if missing is None:
        return
    mends = []
    if isinstance(inputs.definition, Active) and (window := _window_with_enough(inputs)) is not None:
        label = _("Measure retention on days %(first)s–%(last)s")
        days = {"first": window.start_day, "last": window.end_day}
        mends.append(QuickFix(f"window:{window}", label % days, field="retention"))
    for name, wider, label in (
        ("first_date", replace(inputs, first_date=None), _("Take all from the first day")),
        ("last_date", replace(inputs, last_date=None), _("Take all until the last day")),
    ):
        if wider != inputs and _has_enough(base_rate(rate_question(wider))):
            mends.append(QuickFix("", label, field=name))
    yield "retention", Mendable(too_small(missing).sentence, *mends)


def _window_with_enough(inputs: Inputs) -> Window | None:
    """The nearest other window, after the days of behaviour, for which enough users stayed and left."""
    requested = inputs.window
    least = 1 if inputs.days == usual_days(inputs.definition, inputs.gap) else max(inputs.days)
    others = [window for window in WINDOWS if window != requested and window.start_day >= least + inputs.gap]
    others.sort(key=lambda window: abs(window.start_day - requested.start_day))
    counted = in_windows(rate_question(inputs), others)
    return next((window for window, eligible, retained in counted if enough_of(eligible, retained) is None), None)


def _has_enough(rate: BaseRate) -> bool:
    if isinstance(rate.rate, NotComputable):
        return False
    return enough_of(rate.eligible, round(rate.rate.estimate * rate.eligible)) is None


def _nobody(inputs: Inputs) -> Iterator[Objection]:
    listed = ready_catalogue()
    fields = {"first": day_text(listed.first_day or ""), "last": day_text(listed.last_day or "")}
    if inputs.first_date is None and inputs.last_date is None:
        yield "signup_event", Mendable(_("Nobody did this event."))
        return
    text = _("Nobody signed up between these dates: the events go from %(first)s to %(last)s.") % fields
    mends = []
    if inputs.first_date is not None:
        mends.append(QuickFix("", _("Take all from the first day"), field="first_date"))
    if inputs.last_date is not None:
        mends.append(QuickFix("", _("Take all until the last day"), field="last_date"))
    yield ("first_date" if inputs.first_date is not None else "last_date"), Mendable(text, *mends)


def _too_young(inputs: Inputs, rate: BaseRate) -> Mendable:
    text = _("None of the %(n)s users who signed up has completed these days yet.") % {"n": count(rate.signups)}
    mends = []
    for line in SHORTER:
        shorter = base_rate(RateQuestion(line, *_cohort(inputs)))
        if shorter.eligible:
            label = _("Use %(retention)s (%(n)s users)") % {"retention": _short(line), "n": count(shorter.eligible)}
            mends.append(QuickFix(line, label))
            break
    return Mendable(text, *mends)


def _cohort(inputs: Inputs) -> tuple[str, date | None, date | None, str]:
    question = rate_question(inputs)
    return question.signup_event, question.first_date, question.last_date, question.day_mode


def _short(line: str) -> str:
    kind, _colon, days = line.partition(":")
    if kind == "on_day":
        return f"D{days}"
    first, last = map(int, days.split("-"))
    return _("days %(days)s") % {"days": day_range(first, last)}


def _outside(inputs: Inputs) -> int | None:
    """Number of users with known retention who are not in the chosen segment."""
    if inputs.segment is None:
        return None
    members = restriction_of(inputs).members or {}
    with questions(day_mode=inputs.day_mode) as session:
        refuse_marks(session, inputs)
        users = session.about(*inputs.dates).cohort(inputs.signup_event)
        mature = users.filter(queries.mature(users, inputs.window)).select("user_id")
        known = session.warehouse.arrow(session.warehouse.named(mature))
    return sum(unit not in members for unit in known["user_id"].to_pylist())


# A study's inputs and preview, in words.

type Fact = tuple[str, str, str]


def asked_sentence(inputs: Inputs) -> str:
    """The study's question as a sentence."""
    fields = {
        "days": days_words(max(inputs.days)),
        "retention": metric_words(inputs.retention),
        "event": labels.label(inputs.signup_event),
    }
    if inputs.signup_event == "*":
        return _("What do users do in their first %(days)s that goes with %(retention)s?") % fields
    return _("What do users do in the first %(days)s after %(event)s that goes with %(retention)s?") % fields


def facts(found: StudyPreview) -> list[Fact]:
    """Name, number and explanation of each fact of the preview."""
    about = _("about %(n)s") if found.rate.one_in > 1 else "%(n)s"
    rows = [(_("Users who count"), about % {"n": count(found.eligible)}, _dates(found))]
    if found.too_young:
        why = _("they signed up too recently: their retention isn't known yet")
        rows.append((_("Left out"), about % {"n": count(found.too_young)}, why))
    if found.outside:
        rows.append((_("Left out"), about % {"n": count(found.outside)}, _("outside the segment")))
    if found.without:
        why = _("they never did the start event: begin with any event to count them, too")
        rows.append((_("Left out"), count(found.without), why))
    unlisted = ""
    if found.unlisted:
        text = ngettext("%(n)s rarer event is not counted", "%(n)s rarer events are not counted", found.unlisted)
        unlisted = text % {"n": found.unlisted}
    rows.append((_("Behaviours"), count(found.behaviours), unlisted))
    rows.append((_("Combinations"), count(found.cells), _("behaviour × days × number of times")))
    rows.append((_("Takes"), *told_words(found.takes)))
    return rows


def _dates(result: StudyPreview) -> str:
    first, last = result.rate.first_signup, result.rate.last_signup
    if first is None or last is None:
        return ""
    return _("signed up from %(first)s to %(last)s") % {"first": day_text(first), "last": day_text(last)}
