"""Names with a character that specifications escape: people read them as they are, on every page."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.test import Client

from aha.models import AhaMoment
from aha.moments import promote, reach
from reporting.document import dump
from tests.aha.make_report import report
from tests.aha.test_views import page, study, weekly

pytestmark = pytest.mark.django_db
SPEC = "level_up\\[mode\\=hard\\]"


def of_spec(value: Any) -> Any:
    """A stored payload with the specification of an event that is called `level_up[mode=hard]` as its behaviour."""
    if isinstance(value, dict):
        return {of_spec(name): of_spec(one) for name, one in value.items()}
    if isinstance(value, list):
        return [of_spec(one) for one in value]
    return SPEC if value == "friend_add" else value


def read_by_people(html: str) -> str:
    """What a page shows: text and pictures, without what forms and links carry."""
    return re.sub(r"<[^>]*>", " ", html)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages__escaped_name__is_read_without_backslashes(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    cache.clear()
    monkeypatch.setattr(reach, "weekly_reach", weekly)
    done = study(payload=of_spec(dump(report())))
    made = promote.promote_candidate(study=done, behaviour=SPEC, times=2, days=3)
    cell = f"?days=3&times=2&behaviour={quote(SPEC)}"
    own = f"studies/{done.pk}/"
    paths = (own, f"{own}candidates/1/", f"{own}venn/{cell}", f"moments/{made.key}/", "moments/")

    for path in paths:
        shown = read_by_people(page(admin_client, f"/aha/{path}", language))
        assert "level_up[mode=hard]" in shown, path
        assert "level_up\\" not in shown, path
    assert made.name == "level_up[mode=hard] ≥ 2 within 3 days"
    assert made.behaviour == SPEC


def test_moment__named_by_version_0_3__is_read_without_backslashes() -> None:
    assert str(AhaMoment(name=f"{SPEC} ≥ 3 within 7 days")) == "level_up[mode=hard] ≥ 3 within 7 days"


def test_admin__escaped_name__is_read_without_backslashes(admin_client: Client) -> None:
    row = AhaMoment.objects.create(
        key="hard",
        name=f"{SPEC} ≥ 3 within 7 days",
        behaviour=SPEC,
        times=3,
        days=7,
        signup_event="signup",
        retention=f"min_events:{SPEC}:14-20:2",
    )

    for path in ("", f"{row.pk}/change/"):
        shown = read_by_people(page(admin_client, f"/admin/aha/ahamoment/{path}"))
        assert "level_up[mode=hard]" in shown, path
        assert "level_up\\" not in shown, path
