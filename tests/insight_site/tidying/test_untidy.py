"""What the rules find among stored rows, and who is told of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from aha.models import AhaMoment, Study
from events.models import Source
from events.upkeep import owners, put_away
from experiments.models import Analysis, Assignment, Experiment, FlagAsk
from experiments.plan import moves
from experiments.plan.lifecycle import Action
from insight_site.models import ApiKey, Snapshot
from insight_site.signin import accounts
from insight_site.tidying import untidy
from insight_site.tidying.tidy_rules import TidyRule
from segments.models import SegmentModel, SegmentVersion
from tests.events.upkeep.make import INPUTS, account, moment, segment, study
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def found() -> list[tuple[str, str, int]]:
    return [(row.rule.value, row.kind, row.pk) for row in untidy.untidy()]


def aged(thing: Model, days: int, **fields: Any) -> None:
    """Make a row so many days older."""
    values = {"created_at": timezone.now() - days * DAY, **fields}
    type(thing)._default_manager.filter(pk=thing.pk).update(**values)


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


def test_no_exposures__by_assignments_and_by_what_analyses_counted() -> None:
    quiet, busy, counted = running("quiet"), running("busy"), running("counted")
    old = timezone.now() - 5 * DAY
    Experiment.objects.update(started_at=old)
    for row, at in ((quiet, old), (busy, timezone.now())):
        arm = row.variants.first()
        assert arm is not None
        Assignment.objects.create(unit="u", experiment=row, variant=arm, bucket=1, assigned_at=at)
    for days, exposed in ((4, 100), (1, 120), (0, 120)):
        made = Analysis.objects.create(experiment=counted, status="done", exposed={"control": 0, "banner": exposed})
        Analysis.objects.filter(pk=made.pk).update(as_of=timezone.now() - days * DAY)

    assert found() == [("no_exposures", "experiment", quiet.pk)]
    Analysis.objects.update(exposed={"control": 0, "banner": 120})
    assert found() == [("no_exposures", "experiment", row.pk) for row in (quiet, counted)]  # the longest first


def test_untouched_draft__counts_from_the_last_change() -> None:
    old, changed = draft("old"), draft("changed")
    for row in (old, changed):
        aged(row, 61)
        row.history.update(history_date=timezone.now() - 61 * DAY)
    changed.refresh_from_db()
    changed.hypothesis = "New."
    changed.save()

    assert found() == [("untouched_draft", "experiment", old.pk)]


def test_never_tested__until_an_experiment_on_it_has_started() -> None:
    claim, tested = moment(), moment("tested")
    running("hint", moment=tested)
    AhaMoment.objects.update(status="candidate")
    draft("idea", moment=claim)
    for row in (claim, tested):
        aged(row, 31)

    assert found() == [("never_tested", "moment", claim.pk)]
    put_away.archive(thing=claim)
    assert found() == []


def test_studies__that_failed_or_were_asked_twice() -> None:
    long_ago = timezone.now() - 3 * DAY
    failed, repaired = (
        study("F", status="failed", finished_at=long_ago),
        study("R", status="failed", finished_at=long_ago),
    )
    study("R2", changed_from=repaired, inputs={**INPUTS, "days": [7]})
    first, second = study("A"), study("B", inputs=dict(reversed(INPUTS.items())))
    study("other seed", seed=2)
    study("later", as_of=datetime(2026, 3, 9, tzinfo=UTC), inputs={**INPUTS, "x": 1})
    study("much later", as_of=datetime(2026, 3, 20, tzinfo=UTC), inputs={**INPUTS, "x": 1})

    assert found() == [("study_failed", "study", failed.pk), ("duplicate_study", "study", first.pk)]
    moment(study=first)  # it is the evidence of a claim now
    assert found() == [("study_failed", "study", failed.pk)]
    assert second.pk


def test_segments__that_drifted_or_that_nothing_uses() -> None:
    used, unused, asked = segment(), segment("unused", "Unused"), segment("asked", "Asked")
    draft("idea", audience=[{"segment_key": "style.v1.g1", "coverage": 10_000}])
    study("S", inputs={**INPUTS, "segment": "asked"})
    SegmentModel.objects.update(created_at=timezone.now() - 31 * DAY)
    SegmentVersion.objects.filter(model=asked).update(drift_code="refit")
    SegmentVersion.objects.create(model=used, number=0, refreshed_at=timezone.now(), drift_code="refit")  # an older one

    assert found() == [("drifted", "segment", asked.pk), ("unused_segment", "segment", unused.pk)]


def key(name: str, **fields: Any) -> ApiKey:
    source, _new = Source.objects.get_or_create(name="web")
    return ApiKey.objects.create(name=name, source=source, kind="server", digest=name, prefix="sk_12345", **fields)


def test_keys__that_work_and_that_nobody_uses__are_told_to_who_may_see_keys(admin_client: Client) -> None:
    now = timezone.now()
    unused, dead, used = key("unused"), key("dead", revoked_at=now), key("used", last_used_at=now)
    expired = key("expired", expires_at=now - DAY)
    for row in (unused, dead, used, expired):
        aged(row, 91)
    rows = untidy.untidy()

    assert [(row.rule, row.pk) for row in rows] == [(TidyRule.UNUSED_KEY, unused.pk)]
    assert untidy.count_hygiene() == 1
    kept = Snapshot.objects.get(name=untidy.NAME)
    for name, told in (("Service owner", 1), ("PM", 0), ("Analyst", 0)):
        user = account(name, name)
        assert len(untidy.seen_by(user, rows)) == untidy.counted(user, kept) == told, name
    assert "unused (sk_12345…)" in admin_client.get("/upkeep/").content.decode()
    assert untidy.seen_by(AnonymousUser(), rows) == []


def test_owner_gone__since_the_account_was_deactivated__until_somebody_else_owns_it() -> None:
    ann, ben = account("ann", "PM"), account("ben", "PM")
    things = [draft("exp", by=ann), moment(created_by=ann), study(created_by=ann), segment(created_by=ann)]
    study("Ben's", created_by=ann, owner=ben, seed=2)
    assert found() == []

    accounts.set_active(user=ann, active=False, request=None)

    rows = untidy.untidy()
    assert {(row.rule, row.kind) for row in rows} == {
        (TidyRule.OWNER_GONE, kind) for kind in ("experiment", "moment", "study", "segment")
    }
    assert {row.since for row in rows} == {timezone.localdate()}
    assert {row.owner for row in rows} == {"ann"}
    for thing in things:
        owners.set_owner(thing=thing, owner=ben)
    assert found() == []


def test_seen_by__somebody_without_a_role__is_nothing() -> None:
    Study.objects.create(title="F", status="failed", finished_at=timezone.now() - 3 * DAY)
    rows = untidy.untidy()
    assert len(untidy.seen_by(account("pm", "PM"), rows)) == 1
    assert untidy.seen_by(account("nobody"), rows) == []


def test_since__is_a_day_of_the_site() -> None:
    Study.objects.create(title="F", status="failed", finished_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert untidy.untidy()[0].since == date(2026, 3, 1)
