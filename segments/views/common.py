"""What the pages about segments share: who asks, htmx, and the progress of a run."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from events.services.runs import request_cancel

from events.models import Run
from events.reasons import Refused

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails


def person(request: HttpRequest) -> User | None:
    """Who asks, for the record of a run."""
    return request.user if isinstance(request.user, User) else None


def is_htmx(request: HttpRequest) -> bool:
    """True when a fragment is wanted."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]
    return bool(htmx)


def progress_of(run: Run, progress: str, cancel: str) -> dict[str, Any]:
    """What `components/progress.html` shows of a run."""
    from segments import words

    return {
        "run": run,
        "progress_url": reverse(progress, args=[run.pk]),
        "cancel_url": reverse(cancel, args=[run.pk]),
        "stage_words": words.stage_words(run.stage, gettext),
    }


def polled(request: HttpRequest, run: Run, page: str, context: dict[str, Any]) -> HttpResponse:
    """The progress fragment; when the run has ended, the page asks for itself anew."""
    if not is_htmx(request):
        return redirect(page)
    response = render(request, "components/progress.html", context)
    if not run.is_open:
        response["HX-Refresh"] = "true"
    return response


def cancel_open(request: HttpRequest, run: Run) -> None:
    """Cancel an open run, or say why it can't be."""
    try:
        request_cancel(run)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, gettext("The run was asked to stop."))
