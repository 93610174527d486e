"""A digest in words and pictures, and as one HTML page that needs nothing else: for mails and for a share link."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from email.message import MIMEPart

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from experiments.analyse.codes import LIGHTS, SIGNS, Code, code_words
from experiments.models import Experiment
from insight_site.exports.pictures import png_of
from insight_site.models import Digest
from insight_site.notify.delivering import letter
from insight_site.notify.notice_kinds import EXPERIMENT, MOMENT, find_subject
from reporting.charts import BLUE
from reporting.numbers import count, percent
from reporting.plain_svg import Sheet
from runs.payloads import Schema, Unreadable

# Content of a digest: row numbers, dates, counts over all units. Pure, and stored with the week.
#
# It has no field for an outcome by arm. The only outcome is the verdict of a final analysis, which a plan gives only
# at its end.


@dataclass(frozen=True)
class Ran:
    """An experiment that ran in the week.

    Attributes:
        experiment: number of its row.
        status: its state.
        started: local day.
        exposed: exposed units of all arms, since its start.
        planned: planned units; None if undecided.
    """

    experiment: int
    status: str
    started: date
    exposed: int
    planned: int | None


@dataclass(frozen=True)
class Decided:
    """An experiment whose final analysis came in the week, and the code of its verdict."""

    experiment: int
    verdict: str


@dataclass(frozen=True)
class MomentWeek:
    """One complete signup week: Monday, new users with complete data, the share who reached the moment, interval."""

    monday: date
    users: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class MomentShares:
    """The last weeks of a moment, oldest first; `fallen`: the newest is below the range expected from those before."""

    moment: int
    weeks: tuple[MomentWeek, ...]
    fallen: bool


@dataclass(frozen=True)
class NeedsHand:
    """Something that needs attention: a code of `insight_site.notify.digest_letters`, and the row."""

    code: str
    label: str
    row: int


@dataclass(frozen=True)
class DigestRecord:
    """The record of one week.

    Attributes:
        first, last: first and last local day.
        ran, decided, moments, hands: its four parts.
        more: number of further experiments that ran.
    """

    first: date
    last: date
    ran: tuple[Ran, ...]
    decided: tuple[Decided, ...]
    moments: tuple[MomentShares, ...]
    hands: tuple[NeedsHand, ...]
    more: int = 0


RECORD: Schema[DigestRecord] = Schema(DigestRecord)

# A digest as text in the active language, with its pictures.

FEW = 30  # fewer users: the share varies by chance, so its dot is hollow and not joined by the line


@dataclass(frozen=True)
class DigestLine:
    """One entry: a name with its page, a text, a symbol and its colour ("good", "bad", "warn")."""

    name: str
    path: str
    text: str
    sign: str = ""
    light: str = ""


@dataclass(frozen=True)
class MomentLine:
    """A moment: a text about its newest week, and the chart of its weeks."""

    name: str
    path: str
    text: str
    sheet: Sheet
    light: str = ""


@dataclass(frozen=True)
class DigestWords:
    """The whole page."""

    title: str
    days: str
    summary: str
    ran: tuple[DigestLine, ...]
    more: str
    decided: tuple[DigestLine, ...]
    moments: tuple[MomentLine, ...]
    hands: tuple[DigestLine, ...]


def say_digest(record: DigestRecord) -> DigestWords:
    """A week's record in words. Deleted rows are left out."""
    days = f"{date_format(record.first)} – {date_format(record.last)}"
    decided = tuple(_decided(record))
    hands = tuple(_hands(record))
    more = ngettext("and {n} further experiment", "and {n} further experiments", record.more).format(n=record.more)
    return DigestWords(
        title=gettext("The week in Insight: {days}").format(days=days),
        days=days,
        summary=_summary(len(record.ran) + record.more, len(decided), len(hands)),
        ran=tuple(_ran(record)),
        more=more if record.more else "",
        decided=decided,
        moments=tuple(_moments(record)),
        hands=hands,
    )


def _summary(ran: int, decided: int, hands: int) -> str:
    parts = [
        ngettext("{n} experiment ran", "{n} experiments ran", ran).format(n=ran),
        ngettext("{n} was decided", "{n} were decided", decided).format(n=decided),
        ngettext("{n} thing needs a hand", "{n} things need a hand", hands).format(n=hands),
    ]
    return ", ".join(parts)


def _ran(record: DigestRecord) -> Iterator[DigestLine]:
    for row in record.ran:
        if (subject := find_subject(EXPERIMENT, str(row.experiment))) is not None:
            yield DigestLine(subject.name, subject.path, _far(row))


def _far(row: Ran) -> str:
    """State and progress, all arms together."""
    status = str(Experiment.Status(row.status).label)
    fields = {"status": status, "day": date_format(row.started), "n": count(row.exposed)}
    if row.planned:
        text = gettext("{status}; since {day}; {n} of {planned} planned users")
        return text.format(**fields, planned=count(row.planned))
    return gettext("{status}; since {day}; {n} users").format(**fields)


def _decided(record: DigestRecord) -> Iterator[DigestLine]:
    for row in record.decided:
        subject, code = find_subject(EXPERIMENT, str(row.experiment)), Code(row.verdict)
        if subject is not None:
            words = code_words(code, whole_clusters=subject.whole_clusters)
            yield DigestLine(subject.name, subject.path, words, SIGNS[code], LIGHTS[code])


def _hands(record: DigestRecord) -> Iterator[DigestLine]:
    words = {
        "sample_ratio": gettext("The sample ratio is broken: its data can't answer until the cause is found."),
        "guardrail": gettext("A guardrail raises its alarm."),
        "share_falling": gettext("Its weekly share fell below what its own weeks before lead to expect."),
        "past_end": gettext("It runs past its planned end."),
        "to_conclude": gettext("It has stopped. Somebody should close it with a note."),
    }
    for row in record.hands:
        subject = find_subject(row.label, str(row.row))
        if subject is not None and row.code in words:
            grave = row.code in ("sample_ratio", "guardrail")
            yield DigestLine(subject.name, subject.path, words[row.code], "!", "bad" if grave else "warn")


def _moments(record: DigestRecord) -> Iterator[MomentLine]:
    for place, row in enumerate(record.moments):
        subject = find_subject(MOMENT, str(row.moment))
        if subject is not None:
            text = _newest(row)
            yield MomentLine(
                subject.name, subject.path, text, weeks_picture(row, subject.name, f"m{place}"), _light(row)
            )


def _light(row: MomentShares) -> str:
    return "warn" if row.fallen else ""


def _newest(row: MomentShares) -> str:
    week = row.weeks[-1]
    fields = {
        "share": percent(week.share),
        "low": percent(week.low),
        "high": percent(week.high),
        "n": count(week.users),
        "day": date_format(week.monday),
    }
    text = gettext("{share} (95%: {low} to {high}) of the {n} new users of the week of {day} did it.")
    return text.format(**fields)


def weeks_picture(row: MomentShares, name: str, slug: str) -> Sheet:
    """Chart of the share by signup week with intervals, from 0 up: small enough for a mail."""
    weeks = row.weeks
    top = max([week.high for week in weeks if week.users >= FEW] or [1.0])
    label = gettext("Share of new users who did “{name}”, by signup week, with intervals (95%)").format(name=name)
    first = weeks[0].monday
    span = max(_place(weeks[-1], first), 1.0)
    sheet = Sheet(slug, label, (-0.4, span + 0.4), (0.0, min(top * 1.15, 1.0)), width=440, height=180, bottom=44)
    sheet.share_axis(gettext("share who did it"))
    sheet.x_axis(gettext("signup week"), [(_place(week, first), _day(week.monday)) for week in weeks])
    points = [(_place(week, first), week.share) if week.users >= FEW else None for week in weeks]
    sheet.line(points, BLUE)
    for week in weeks:
        sheet.interval(_place(week, first), week.low, min(week.high, sheet.y_range[1]), BLUE)
        text = f"{week.monday}: {percent(week.share)} (n = {count(week.users)})"
        sheet.dot(_place(week, first), week.share, BLUE, text, hollow=week.users < FEW)
    return sheet


def _place(week: MomentWeek, first: date) -> float:
    return (week.monday - first).days / 7


def _day(day: date) -> str:
    return f"{day.month}/{day.day}"


# Render a digest as a self-contained HTML page: for mails (pictures as PNG) and for a share link (SVG).


def standalone(record: DigestRecord) -> str:
    """The page behind a share link, in the active language, with its pictures embedded."""
    words = say_digest(record)
    pictures = {
        moment.sheet.slug: "data:image/svg+xml;base64," + b64encode(moment.sheet.markup(alone=True).encode()).decode()
        for moment in words.moments
    }
    return render_to_string("notices/digest_mail.html", _context(words, pictures))


def shared_digest(pk: int) -> str | None:
    """The page of a stored digest; None when it is deleted or can't be read."""
    row = Digest.objects.filter(pk=pk).first()
    record = None if row is None else RECORD.read(row.record)
    return None if record is None or isinstance(record, Unreadable) else standalone(record)


def draw(record: DigestRecord) -> dict[str, bytes]:
    """Render a digest's pictures as PNG, in the active language. Only in a worker: the renderer is large."""
    return {moment.sheet.slug: png_of(moment.sheet.markup(alone=True)) for moment in say_digest(record).moments}


def digest_letter(
    record: DigestRecord, drawn: Mapping[str, bytes], address: str, *, stop: str, page: str
) -> EmailMultiAlternatives:
    """The mail with a digest.

    Args:
        record: of the week.
        drawn: its pictures in this language, by slug (`draw`).
        address: recipient's e-mail address.
        stop: link to unsubscribe.
        page: link to the digest in a browser.
    """
    words = say_digest(record)
    context = _context(words, {slug: f"cid:{slug}@insight" for slug in drawn})
    mail = letter({**context, "stop": stop, "page": page, "mail": True}, "notices/digest_mail", address, stop)
    for slug, content in drawn.items():
        part = MIMEPart()
        part.set_content(content, maintype="image", subtype="png", disposition="inline", filename=f"{slug}.png")
        part["Content-ID"] = f"<{slug}@insight>"
        mail.attach(part)
    return mail


def _context(words: DigestWords, pictures: Mapping[str, str]) -> dict[str, object]:
    return {
        "title": words.title,
        "words": words,
        "moments": [(moment, pictures.get(moment.sheet.slug, "")) for moment in words.moments],
        "site": settings.NOTICES.site,
    }
