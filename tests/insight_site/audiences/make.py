"""A published segment whose members a test sets, and an audience of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from insight_site.audiences.audience_services import create_audience
from insight_site.models import Audience
from segments.models import Membership, Segment, SegmentModel, SegmentVersion

HOOK = "https://hooks.example.com/in"


def segment(number: int = 1) -> Segment:
    model, _ = SegmentModel.objects.get_or_create(key="style", defaults={"name": "Style", "kind": "cluster"})
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=number, units=2)
    return Segment.objects.create(version=version, key="g1", name="Fighters")


def place(into: Segment, units: Iterable[str]) -> None:
    """These and nobody else are in it now."""
    Membership.objects.filter(version=into.version).delete()
    Membership.objects.bulk_create(Membership(version=into.version, segment=into, unit=unit) for unit in units)


def audience(of: Segment, **values: Any) -> Audience:
    given = {"key": "fighters", "name": "Fighters", "who": "segment", "way": "fetched", "hours": 24}
    return create_audience(by=None, segment_model=of.version.model, segment_key=of.key, **{**given, **values})


class Receiver:
    """Applies messages to a list as docs/audiences.md says; answers with the given statuses, the last for ever."""

    def __init__(self, *answers: int | BaseException) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[bytes, dict[str, str]]] = []

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.sent.append((body, dict(headers)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer
