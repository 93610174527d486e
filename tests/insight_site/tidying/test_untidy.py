"""What the rules find among stored rows, and who is told of it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from experiments.models import Experiment, FlagAsk
from experiments.plan import moves
from experiments.plan.lifecycle import Action
from insight_site.models import Snapshot
from insight_site.tidying import untidy
from insight_site.tidying.untidy import TidyRule
from tests.events.upkeep.make import account, moment, segment, study
from tests.experiments.make import a_lab, draft, running

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def found() -> list[tuple[str, str, int]]:
    return [(row.rule.value, row.kind, row.pk) for row in untidy.untidy()]


def test_untidy__a_fresh_site__is_in_order() -> None:
    running("hint")
    draft("idea")
    moment()
    study()
    segment()
    assert found() == []


def test_past_end__of_a_running_one__is_found_and_of_an_archived_one_not() -> None:
    late, over = running("late"), running("over")
    end = timezone.localdate() - DAY
    Experiment.objects.update(planned_end=end)
    for action in (Action.STOP, Action.CONCLUDE, Action.ARCHIVE):
        moves.move(key="over", action=action)

    assert found() == [("past_end", "experiment", late.pk)]
    assert untidy.untidy()[0].since == end
    assert over.pk


def test_still_asked__by_two_keys_on_the_last_whole_day__adds_up() -> None:
    one, taken = running("one", flag_key="hint"), running("taken", flag_key="banner")
    for row in (one, taken):
        moves.move(key=row.key, action=Action.STOP)
    Experiment.objects.update(stopped_at=timezone.now() - 10 * DAY)
    running("next", flag_key="banner")  # another one on the same flag: it is asked for rightly
    yesterday = datetime.now(UTC).date() - DAY
    now = {"first_at": timezone.now(), "last_at": timezone.now(), "door": "flag"}
    FlagAsk.objects.create(flag_key="hint", key_prefix="sk_1", day=yesterday, day_times=60, **now)
    FlagAsk.objects.create(
        flag_key="hint", key_prefix="sk_2", day=yesterday + DAY, day_times=9_000, day_before=yesterday,
        day_before_times=40, **now,
    )  # fmt: skip
    FlagAsk.objects.create(flag_key="hint", key_prefix="sk_3", day=yesterday - DAY, day_times=9_000, **now)
    FlagAsk.objects.create(flag_key="banner", key_prefix="sk_1", day=yesterday, day_times=9_000, **now)

    rows = untidy.untidy()

    assert [(row.rule, row.pk, row.calls) for row in rows] == [(TidyRule.STILL_ASKED, one.pk, 100)]
    FlagAsk.objects.filter(key_prefix="sk_2").update(day_before_times=39)
    assert found() == []


@pytest.mark.parametrize("door", ["bulk", "config"])
def test_still_asked__with_all_flags_at_once__counts_for_each_that_is_over(door: str) -> None:
    row = running("one", flag_key="hint")
    running("live", flag_key="banner")
    moves.move(key=row.key, action=Action.STOP)
    Experiment.objects.filter(key="one").update(stopped_at=timezone.now() - 10 * DAY)
    yesterday, now = datetime.now(UTC).date() - DAY, timezone.now()
    made = FlagAsk.objects.create(
        flag_key="", door=door, key_prefix="pk_1", day=yesterday, day_times=99, first_at=now, last_at=now
    )
    assert found() == []

    FlagAsk.objects.create(
        flag_key="hint", door="flag", key_prefix="sk_1", day=yesterday, day_times=1, first_at=now, last_at=now
    )

    assert [(one.rule, one.pk, one.calls) for one in untidy.untidy()] == [(TidyRule.STILL_ASKED, row.pk, 100)]
    made.delete()
    assert found() == []


def test_still_asked__of_a_lab__counts_its_nudges_flags_too() -> None:
    lab = a_lab("lab")
    running("lab.x")  # its key begins like a nudge's flag
    moves.move(key="lab", action=Action.START)
    moves.move(key="lab", action=Action.STOP)
    Experiment.objects.filter(key="lab").update(stopped_at=timezone.now() - 10 * DAY)
    yesterday, now = datetime.now(UTC).date() - DAY, timezone.now()
    for flag, times in (("lab.pals", 60), ("lab.chat", 40), ("lab.x", 9_000)):
        FlagAsk.objects.create(
            flag_key=flag, door="flag", key_prefix="sk_1", day=yesterday, day_times=times, first_at=now, last_at=now
        )

    assert [(row.rule, row.pk, row.calls) for row in untidy.untidy()] == [(TidyRule.STILL_ASKED, lab.pk, 100)]


def test_count_hygiene__is_what_the_first_page_tells__without_rules_that_went() -> None:
    running("late")
    Experiment.objects.update(planned_end=timezone.localdate() - DAY)

    assert untidy.count_hygiene() == 1
    kept = Snapshot.objects.get(name=untidy.NAME)
    assert (kept.value, untidy.counted(kept), untidy.counted(None)) == ({"past_end": 1}, 1, 0)
    kept.value = {"past_end": 1, "unused_key": 3}  # as 0.4 counted it last night
    assert untidy.counted(kept) == 1


def test_seen_by__somebody_without_a_role__is_nothing() -> None:
    running("late")
    Experiment.objects.update(planned_end=timezone.localdate() - DAY)
    rows = untidy.untidy()
    assert len(untidy.seen_by(account("pm", "PM"), rows)) == 1
    assert untidy.seen_by(account("nobody"), rows) == []
    assert untidy.seen_by(AnonymousUser(), rows) == []
