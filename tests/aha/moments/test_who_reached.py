"""Who reached a moment, who may still, who missed it: ten users that one can count by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from aha.models import AhaMoment
from aha.moments import reach
from aha.moments.promote import create_moment
from aha.moments.reach import Reach, weekly_reach, who_reached
from runs.refusals import Refused
from tests.aha.store import load_file

pytestmark = pytest.mark.django_db
# user, event, time. The moment: chat twice within 7 days of signing up (days 0 to 6). The log ends on 20 January.
LOG = [
    ("early", "signup", "2026-01-01T10:00:00Z"),
    ("early", "chat", "2026-01-01T11:00:00Z"),
    ("early", "chat", "2026-01-07T09:00:00Z"),  # day 5: in time
    ("late", "signup", "2026-01-01T10:00:00Z"),
    ("late", "chat", "2026-01-02T11:00:00Z"),
    ("late", "chat", "2026-01-08T11:00:00Z"),  # day 7: too late
    ("once", "signup", "2026-01-02T10:00:00Z"),
    ("once", "chat", "2026-01-02T11:00:00Z"),
    ("never", "signup", "2026-01-03T10:00:00Z"),
    ("quick", "signup", "2026-01-18T10:00:00Z"),  # has days left, and reached it already
    ("quick", "chat", "2026-01-18T11:00:00Z"),
    ("quick", "chat", "2026-01-18T12:00:00Z"),
    ("young", "signup", "2026-01-18T10:00:00Z"),
    ("young", "chat", "2026-01-19T11:00:00Z"),
    ("new", "signup", "2026-01-19T10:00:00Z"),
    ("stranger", "chat", "2026-01-05T10:00:00Z"),  # never signed up
    ("stranger", "chat", "2026-01-06T10:00:00Z"),
    ("last", "signup", "2026-01-20T10:00:00Z"),
]


@pytest.fixture
def moment(tmp_path: Path, settings: Any) -> AhaMoment:
    settings.EVENTS_URL = str(tmp_path / "store")
    lines = [
        json.dumps({"user_id": user, "event": event, "time": time, "message_id": f"m{number}"})
        for number, (user, event, time) in enumerate(LOG)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    load_file(
        tmp_path / "log.jsonl", "--user", "user_id", "--event", "event", "--time", "time", "--message-id", "message_id"
    )
    return create_moment(
        name="Talk", behaviour="chat", times=2, days=7, signup_event="signup", retention="window:14-20"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("standing", "users"),
    [
        (Reach.REACHED, {"early", "quick"}),
        (Reach.NOT_YET, {"young", "new", "last"}),
        (Reach.MISSED, {"late", "once", "never"}),
    ],
)
def test_who_reached__counted_by_hand(moment: AhaMoment, standing: Reach, users: set[str]) -> None:
    assert who_reached(moment, standing) == users


@pytest.mark.slow
def test_who_reached__of_those_whose_days_are_over__is_what_the_weekly_share_counts(moment: AhaMoment) -> None:
    weeks = weekly_reach(moment).weeks

    assert sum(week.reached for week in weeks) == len({"early"})
    assert sum(week.eligible for week in weeks) == len({"early"} | who_reached(moment, Reach.MISSED))


@pytest.mark.slow
def test_who_reached__more_than_can_be_listed__is_refused(moment: AhaMoment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "MOST", 2)

    assert len(who_reached(moment, Reach.REACHED)) == 2
    with pytest.raises(Refused, match="at most"):
        who_reached(moment, Reach.MISSED)
