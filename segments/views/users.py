"""Pages of a segment's users, and of one user's segments."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from runs.web import may
from segments.models import Segment
from segments.published import members
from segments.report import segment_rows
from segments.report.segment_rows import breakdown, shortened

LONGEST_ID = 256


@login_required
@require_safe
def segment_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One segment: its users' traits, and a few user ids for viewers with permission to see users."""
    segment = get_object_or_404(Segment.objects.published(), pk=pk)
    found = members.who_is_in(segment)
    context = {
        "segment": segment,
        "row": segment_rows.row(segment, segment.version.units, segment.version.shape),
        "stays": segment_rows.retention_words([segment]),
        "traits": breakdown(found),
        "sample": [(unit, shortened(unit)) for unit in found.sample],
    }
    return render(request, "segments/segment.html", context)


@login_required
@may("segments.view_membership")
@require_safe
def find_user(request: HttpRequest) -> HttpResponse:
    """The segments of a user, found by exact id."""
    unit = request.GET.get("id", "").replace("\x00", "")[:LONGEST_ID]
    found = members.find_user(unit) if unit else None
    return render(request, "segments/user.html", {"unit": unit, "found": found})
