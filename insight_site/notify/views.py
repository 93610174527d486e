"""Pages of notices: my preferences, unsubscribing by a link, and the weekly digest. Loaded with the first request."""

from datetime import date, timedelta
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from insight_site.access import limits
from insight_site.access.permissions import client_address
from insight_site.exports import takeaway
from insight_site.models import Digest, DigestRecipient, NoticeChannel
from insight_site.notify.digest import DAYS, gather
from insight_site.notify.digest_letters import RECORD, DigestRecord, say_digest
from insight_site.notify.forms import AddressForm, ChoiceForm
from insight_site.notify.notice_kinds import BY_KEY
from insight_site.notify.preferences import EVERYTHING, RECIPIENT, add_channel, ask_for_test, read_stop, stop
from runs.payloads import Unreadable
from runs.queue.jobs import put
from runs.refusals import Refused
from runs.site_zone import site_date
from runs.web import may

BAD_TOKENS_A_MINUTE = 20
NOW_A_DAY = 10  # digests that one account may request
WEEKS_LISTED = 12


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def notices(request: HttpRequest) -> HttpResponse:
    """My preferences and channels."""
    user = cast(User, request.user)
    form = ChoiceForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, gettext("Saved."))
        return redirect("notices")
    return _notices_page(request, form, AddressForm())


@login_required
@require_POST
def add_address(request: HttpRequest) -> HttpResponse:
    """Add a channel of mine; a worker sends a test message, so that I see whether it works."""
    user = cast(User, request.user)
    form = AddressForm(request.POST)
    if form.is_valid():
        try:
            row = add_channel(url=form.cleaned_data["url"], name=form.cleaned_data["name"], owner=user)
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            ask_for_test(row)
            messages.success(
                request, gettext("Saved. A message is on its way there, so that you see whether it works.")
            )
            return redirect("notices")
    return _notices_page(request, ChoiceForm(user=user), form)


@login_required
@require_POST
def change_place(request: HttpRequest, pk: int) -> HttpResponse:
    """Test or remove one of my channels."""
    row = get_object_or_404(NoticeChannel, pk=pk, owner=cast(User, request.user))
    if "test" in request.POST:
        ask_for_test(row)
        messages.success(request, gettext("A message is on its way there."))
    else:
        row.delete()
        messages.success(request, gettext("Removed. Nothing goes there any more."))
    return redirect("notices")


def _notices_page(request: HttpRequest, form: ChoiceForm, address: AddressForm) -> HttpResponse:
    user = cast(User, request.user)
    places = NoticeChannel.objects.filter(owner=user)
    words = {"form": form, "address": address, "places": places, "email": user.email}
    return render(request, "notices/choices.html", words, status=422 if address.errors or form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def stop_page(request: HttpRequest, token: str) -> HttpResponse:
    """Unsubscribe by a link in a mail. A GET only shows the question: mail scanners follow links too."""
    subscription = read_stop(token)
    if subscription is None:
        if not limits.passes(f"badstop:{client_address(request)}", BAD_TOKENS_A_MINUTE):
            return HttpResponse(gettext("Too many attempts; try again in a minute."), status=429)
        raise Http404
    who, pk, kind = subscription
    rows: Any = DigestRecipient.objects if who == RECIPIENT else User.objects
    if not rows.filter(pk=pk).exists():
        raise Http404
    if request.method == "POST":
        stop(who, pk, EVERYTHING if "everything" in request.POST else kind)
    title = BY_KEY[kind].title if kind in BY_KEY else ""
    words = {"digest": who == RECIPIENT, "kind": title, "done": request.method == "POST"}
    response = render(request, "notices/stop.html", words)
    response["X-Robots-Tag"], response["Referrer-Policy"] = "noindex, nofollow", "no-referrer"
    return response


# ── The weekly digest ─────────────────────────────────────────────────────────
@login_required
@may("experiments.view_experiment")
@require_safe
def digest(request: HttpRequest) -> HttpResponse:
    """The last digest that was sent; before the first, and with `?now`, a preview of the last seven days."""
    newest = None if "now" in request.GET else Digest.objects.first()
    if newest is not None:
        return _digest_page(request, newest)
    return _digest_page(request, None, gather(site_date() - timedelta(days=DAYS)))


@login_required
@may("experiments.view_experiment")
@require_safe
def digest_week(request: HttpRequest, week: date) -> HttpResponse:
    """One digest that was sent."""
    return _digest_page(request, get_object_or_404(Digest, week=week))


@login_required
@may("experiments.view_experiment")
@require_POST
def digest_to_me(request: HttpRequest) -> HttpResponse:
    """Let a worker send the last seven days to my own address."""
    user = cast(User, request.user)
    if not user.email:
        messages.error(request, gettext("Your account has no e-mail address."))
    elif not limits.passes(f"digest:{user.pk}", NOW_A_DAY):
        messages.error(request, gettext("Too many attempts; try again in a minute."))
    else:
        put("insight_site.tasks.send_digest_now", user.pk)
        messages.success(request, gettext("The last seven days are on their way to {email}.").format(email=user.email))
    return redirect(reverse("digest") + "?now")


@login_required
@may("insight_site.add_sharelink")
@require_POST
def share_digest(request: HttpRequest, week: date) -> HttpResponse:
    """Create a share link to one digest for people without an account; shown only once."""
    row = get_object_or_404(Digest, week=week)
    _link, token = takeaway.create_link(run=row, days=30, by=cast(User, request.user))
    address = request.build_absolute_uri(reverse("shared", args=[token]))
    text = gettext("Whoever has this link reads the report until it expires. It is shown only now:")
    messages.success(request, format_html('{} <code class="link">{}</code>', text, address))
    return redirect("digest_week", week)


def _digest_page(request: HttpRequest, row: Digest | None, record: DigestRecord | None = None) -> HttpResponse:
    content = record if row is None else RECORD.read(row.record)
    if content is None or isinstance(content, Unreadable):
        raise Http404
    words = say_digest(content)
    pictures = [
        # The renderer escapes names; the markup itself is ours.
        (moment, mark_safe(moment.sheet.markup()))  # noqa: S308
        for moment in words.moments
    ]
    context = {"row": row, "words": words, "moments": pictures, "weeks": Digest.objects.all()[:WEEKS_LISTED]}
    return render(request, "notices/digest.html", context)
