"""Notices as e-mail: text and HTML, in the reader's language, with the unsubscribe headers of mail programs."""

from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import ngettext

from insight_site.notices.notice_words import Said
from insight_site.notices.unsubscribing import EVERYTHING, PERSON, stop_link


def notice_letter(user_pk: int, address: str, said: Sequence[Said], kinds: set[str]) -> EmailMultiAlternatives:
    """A mail with one notice, or with a day's notices.

    Args:
        user_pk: account, for the unsubscribe link.
        address: recipient's e-mail address.
        said: the notices in words, in the active language.
        kinds: their kinds; for a single one the link unsubscribes from it, else from everything.
    """
    link = stop_link(PERSON, user_pk, next(iter(kinds)) if len(kinds) == 1 else EVERYTHING)
    context: dict[str, object] = {"title": title_of(said), "notices": said, "site": settings.NOTICES.site, "stop": link}
    return letter(context, "notices/mail", address, link)


def letter(context: dict[str, object], template: str, address: str, stop: str) -> EmailMultiAlternatives:
    """A mail with text and HTML, and the headers for automatic mail (RFC 8058, RFC 3834)."""
    mail = EmailMultiAlternatives(
        str(context["title"]).replace("\n", " ").replace("\r", " "),  # a line break in a name could inject a header
        render_to_string(f"{template}.txt", context).strip() + "\n",
        None,
        [address],
        headers={
            "List-Unsubscribe": f"<{stop}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    mail.attach_alternative(render_to_string(f"{template}.html", context).strip(), "text/html")
    return mail


def title_of(said: Sequence[Said]) -> str:
    """The subject: of a single notice, its title."""
    if len(said) == 1:
        return said[0].title
    return ngettext("{n} notice of Insight", "{n} notices of Insight", len(said)).format(n=len(said))
