"""Render a digest as a self-contained HTML page: for mails (pictures as PNG) and for a share link (SVG)."""

from base64 import b64encode
from collections.abc import Mapping
from email.message import MIMEPart

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from insight_site.models import Digest
from insight_site.notices.digest.digest_record import RECORD, DigestRecord
from insight_site.notices.digest.digest_words import DigestWords, say_digest
from insight_site.notices.letters import letter
from insight_site.takeaways.rendering import png_of
from runs.payloads import Unreadable


def standalone(record: DigestRecord) -> str:
    """The page behind a share link, in the active language, with its pictures embedded."""
    words = say_digest(record)
    pictures = {
        one.sheet.slug: "data:image/svg+xml;base64," + b64encode(one.sheet.markup(alone=True).encode()).decode()
        for one in words.moments
    }
    return render_to_string("notices/digest_mail.html", _context(words, pictures))


def shared_digest(pk: int) -> str | None:
    """The page of a stored digest; None when it is deleted or can't be read."""
    row = Digest.objects.filter(pk=pk).first()
    record = None if row is None else RECORD.read(row.record)
    return None if record is None or isinstance(record, Unreadable) else standalone(record)


def draw(record: DigestRecord) -> dict[str, bytes]:
    """Render a digest's pictures as PNG, in the active language. Only in a worker: the renderer is large."""
    return {one.sheet.slug: png_of(one.sheet.markup(alone=True)) for one in say_digest(record).moments}


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
        "moments": [(one, pictures.get(one.sheet.slug, "")) for one in words.moments],
        "site": settings.NOTICES.site,
    }
