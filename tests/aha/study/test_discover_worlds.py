"""`discover` on whole worlds with known truth and on Flood-It, from files through the import to the JSON document."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError
from django.test import override_settings

from aha.models import Study
from aha.study.payload_versions import STUDY
from aha.study.result import Report
from events.simulation import WORLDS, simulate
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.aha.answers import keys_of
from tests.aha.store import discover, load_file, store_of
from tests.aha.study.test_discover import EXPECTED_KEYS

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.django_db]
WORLD = ("--signup-event", "signup", "--days", 1, 3, 7, "--max-times", 20, "--retention", "window:21-27", "--json")
FLOODIT = ("--signup-event", "first_open", "--max-times", 4, "--retention", "on_day:1")


@pytest.fixture(scope="module")
def _step(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with store_of(simulate(WORLDS["step"], 20_000, 1), tmp_path_factory.mktemp("step")):
        yield


@pytest.mark.proof
@pytest.mark.usefixtures("_step")
def test_step_world__discover__the_jump_at_three_friends_in_seven_days_comes_first() -> None:
    found = json.loads(discover(*WORLD))

    best = found["candidates"][0]
    assert (best["behaviour"], best["times"], best["days"], best["step"]) == ("friend_add", 3, 7, "jump")
    assert [row["step"] for row in found["candidates"][1:]].count("jump") == 0
    assert best["flags"] == []
    raw, full = best["ladder"][0], best["ladder"][3]
    assert full["low"] < 0.1036 < full["high"]  # the true average effect; raw is four times as large
    assert raw["low"] > 3 * full["high"]
    assert abs(best["hold_out_j"] - best["j"]) < 0.03
    assert set(found["spent"]) == {
        "seconds", "processor_seconds", "peak_mb", "workers", "steps", "size", "compiled"
    }  # fmt: skip
    one = {**found, "spent": None, "cells": found["cells"][:1], "candidates": [best]}
    assert keys_of(one) == sorted(EXPECTED_KEYS)
    marked = {row["behaviour"]: row["flags"] for row in found["candidates"]}
    inert = {"settings_open", "error_seen", "rotate", "mute", "help_open", "ad_seen", "screenshot"}
    assert all("activity_only" in flags for name, flags in marked.items() if name in inert)


@pytest.mark.proof
def test_forced_world__discover__tutorial_and_daily_bonus_are_flagged_and_no_candidates(tmp_path: Path) -> None:
    some = ("friend_add", "chat", "browse", "tutorial", "daily_bonus")
    with store_of(simulate(WORLDS["forced"], 20_000, 1), tmp_path):
        found = json.loads(discover(*WORLD, "--behaviours", *some))
        report = STUDY.of(Study.objects.get())

        with pytest.raises(CommandError, match="--retention and --days"):
            discover(*WORLD[:2], "--days", 22, "--retention", "window:21-27")

    assert isinstance(report, Report)
    flags = {(row.behaviour, row.flag.value) for row in report.flags}
    assert {("tutorial", "forced"), ("daily_bonus", "forced")} <= flags
    names = [row["behaviour"] for row in found["candidates"]]
    assert names[0] == "friend_add"
    assert not {"tutorial", "daily_bonus"} & set(names)
    assert not {"tutorial", "daily_bonus"} & {row["behaviour"] for row in found["ranking"]}
    assert {"tutorial", "daily_bonus"} <= {row["behaviour"] for row in found["cells"]}
    assert Study.objects.count() == 1


@contextmanager
def floodit(csv: Path, folder: Path) -> Iterator[pd.DataFrame]:
    """The counts of the first day as events, 40 minutes apart (each a session); who came back has one on day 1."""
    rows = pd.read_csv(csv)
    rows = rows[rows.is_enable == 1].reset_index(drop=True)
    start = pd.to_datetime(rows.user_first_engagement, utc=True, format="ISO8601")
    rows["user"] = [f"p{number:05d}" for number in range(len(rows))]
    parts = [pd.DataFrame({"user": rows.user, "event": "first_open", "time": start})]
    for column in [name for name in rows.columns if name.startswith("cnt_")]:
        times = rows[column].fillna(0).astype(int).clip(upper=30).to_numpy()
        place = np.repeat(np.arange(len(rows)), times)
        step = np.arange(place.size) - np.repeat(np.cumsum(times) - times, times)
        moments = start.iloc[place].reset_index(drop=True) + pd.to_timedelta(40 * (step + 1), unit="min")
        parts.append(pd.DataFrame({"user": rows.user.iloc[place], "event": column[4:], "time": moments.to_numpy()}))
    back = rows.churned == 0
    parts.append(pd.DataFrame({"user": rows.user[back], "event": "back", "time": start[back] + pd.Timedelta(36, "h")}))
    end = start.max() + pd.Timedelta(30, "D")
    parts.append(pd.DataFrame({"user": ["clock"], "event": ["tick"], "time": [end]}))
    log = pd.concat([part.assign(time=pd.to_datetime(part.time, utc=True)) for part in parts])
    log.to_parquet(folder / "floodit.parquet", index=False)
    with override_settings(EVENTS_URL=str(folder / "store")):
        load_file(folder / "floodit.parquet", "--user", "user", "--event", "event", "--time", "time")
        yield rows


def published(rows: pd.DataFrame, **version: Any) -> None:
    """The filter of the published tutorial as a segment: players who didn't "bounce", judged by their last event."""
    model = SegmentModel.objects.create(key="stayers", name="Stayers", kind="rule")
    row = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, **version)
    segment = Segment.objects.create(version=row, key="not-bounced")
    kept = rows.user[rows.bounced == 0]
    Membership.objects.bulk_create(Membership(version=row, unit=unit, segment=segment) for unit in kept)


def test_floodit__conditioning_on_the_future__is_refused_and_known_counts_come_out(
    real_data: Path, tmp_path: Path
) -> None:
    behaviours = ("--behaviours", "level_end_quickplay", "post_score", "user_engagement")
    with floodit(real_data / "events/floodit_users_raw.csv", tmp_path) as rows:
        published(rows, rule={"all": [{"feature": "recency", "at_most": 1}]})
        with pytest.raises(CommandError) as by_rule:
            discover(*FLOODIT, "--days", 1, "--segment", "not-bounced")
        SegmentVersion.objects.update(rule=None, inputs={"last_day": 1})
        with pytest.raises(CommandError) as by_days:
            discover(*FLOODIT, "--days", 1, "--segment", "not-bounced")
        with pytest.raises(CommandError) as overlap:
            discover(*FLOODIT, "--days", 2)
        assert not Study.objects.exists()

        found = json.loads(discover(*FLOODIT, "--days", 1, 2, *behaviours, "--choose", "phi", "--json"))

    assert "the outcome would choose its own population" in str(by_days.value)
    assert "also uses what users do after day 1" in str(by_rule.value)
    assert {error.value.returncode for error in (by_rule, by_days, overlap)} == {2}
    assert found["units"]["eligible"] == 13_404
    assert found["retention"]["rate"] == pytest.approx(6_143 / 13_404)
    cells = {(row["behaviour"], row["days"], row["times"]): row for row in found["cells"]}
    two = cells["level_end_quickplay", 1, 2]
    assert (two["B"], two["B"] + two["C"], two["A"]) == (2_770, 4_776, 3_373)
    assert two["phi"] == pytest.approx(0.1817, abs=5e-5)
    assert two["valid"]
    assert not cells["level_end_quickplay", 2, 2]["valid"]
    everybody = cells["user_engagement", 1, 1]
    assert set(everybody["difference"]) == {"not_computable"}
    assert "user_engagement" not in {row["behaviour"] for row in found["candidates"]}
    assert found["candidates"][0]["behaviour"] in ("level_end_quickplay", "post_score")
