"""The first members of a version: every row arrives, over the border of a batch too, and a unit stands there once."""

import pytest
from django.db import IntegrityError

from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from segments.published import publish
from segments.published.publish import write_members

pytestmark = pytest.mark.django_db


def a_version() -> SegmentVersion:
    model = SegmentModel.objects.create(key="play", name="Play", kind=SegmentModel.Kind.CLUSTER)
    return SegmentVersion.objects.create(model=model, number=1, inputs={})


def test_write_members__more_than_a_batch__all_rows_as_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "WRITE_MEMBERS_BATCH", 3)
    version = a_version()
    segment = Segment.objects.create(version=version, key="g1", number=0)
    rows = [(f"u\t{number}\\n", segment.pk, "member") for number in range(7)] + [("quiet", None, "too_little_data")]

    write_members(version.pk, iter(rows))

    assert list(version.members.order_by("pk").values_list("unit", "segment_id", "place")) == rows
    assert not version.members.exclude(risk=None, reasons=None).exists()


def test_write_members__a_unit_twice__is_refused_and_its_batch_with_it() -> None:
    version = a_version()

    with pytest.raises(IntegrityError):
        write_members(version.pk, [("one", None, "outside"), ("one", None, "outside")])
    assert not Membership.objects.exists()
