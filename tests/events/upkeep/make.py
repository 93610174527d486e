"""One thing of each kind, and accounts."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import Group, User

from aha.models import AhaMoment, SavedView, Study
from segments.models import Segment, SegmentModel, SegmentVersion

INPUTS = {"signup_event": "signup", "retention": "window:14-20", "behaviours": ["friend_add"], "segment": None}
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def account(name: str, *roles: str) -> User:
    """Somebody with these roles."""
    user = User.objects.create_user(name, password="correct horse")
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def study(title: str = "Spring", **fields: Any) -> Study:
    """A study that is done, without its result."""
    given: dict[str, Any] = {"status": "done", "inputs": INPUTS, "as_of": AS_OF, **fields}
    return Study.objects.create(title=title, **given)


def moment(key: str = "friends", **fields: Any) -> AhaMoment:
    """A candidate that somebody wrote."""
    given: dict[str, Any] = {
        "name": "Three friends",
        "behaviour": "friend_add",
        "times": 3,
        "days": 7,
        "signup_event": "signup",
        "retention": "window:14-20",
        **fields,
    }
    return AhaMoment.objects.create(key=key, **given)


def saved_view(name: str = "View", **fields: Any) -> SavedView:
    return SavedView.objects.create(name=name, view="retention", **fields)


def segment(key: str = "style", name: str = "Style", **fields: Any) -> SegmentModel:
    """A published model of two groups."""
    model = SegmentModel.objects.create(key=key, name=name, kind="cluster", **fields)
    version = SegmentVersion.objects.create(model=model, number=1, refreshed_at=AS_OF, units=100)
    for group, called in (("g1", "Fighters"), ("g2", "Builders")):
        Segment.objects.create(version=version, key=group, name=called, stability=0.9, size=50)
    return model
