"""Pages about segments: what is published, what is running."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from segments.models import SegmentationRun, SegmentModel


@login_required
@require_safe
def segment_list(request: HttpRequest) -> HttpResponse:
    """Published models and the latest runs."""
    models = SegmentModel.objects.prefetch_related("versions__segments")
    return render(request, "segments/list.html", {"models": models, "runs": SegmentationRun.objects.all()[:20]})
