"""A small site with one experiment, and what somebody with a public key sends to it. Django must be set up before."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

SHOWN, ELSEWHERE, KEY = "web", "marketing", "x"


def make_keys() -> dict[str, str]:
    """Client keys: of the app that shows the experiment, and of another site."""
    from events.models import Source
    from insight_site.access.keys import issue_key

    return {
        name: issue_key(
            name=name, source=Source.objects.create(name=name), kind="client", scopes=["events:write", "assign:read"]
        )[1]
        for name in (SHOWN, ELSEWHERE)
    }


def make_experiment(units: int) -> Any:
    """Started six weeks ago, everybody assigned by the draw and exposed by our door a month ago, stopped."""
    from experiments.models import Experiment
    from experiments.plan import moves
    from experiments.plan.lifecycle import Action
    from experiments.serve.assign import assign_units

    start_experiment(units)
    people = [f"u{number}" for number in range(units)]
    _write({unit: answer.variant for unit, answer in assign_units(experiment_key=KEY, units=people)})
    moves.move(key=KEY, action=Action.STOP)
    return Experiment.objects.get(key=KEY)


def start_experiment(units: int) -> None:
    """Planned for so many units, and started six weeks ago."""
    from django.utils import timezone

    from events.models import Source
    from experiments.models import Experiment
    from experiments.plan import drafts, moves
    from experiments.plan.lifecycle import Action
    from experiments.serve import config

    drafts.create_draft(
        key=KEY,
        variants=[{"key": arm, "value": arm, "weight": 5_000} for arm in ("control", "banner")],
        hypothesis="It helps.",
        default_value="none",
        primary_metrics=["window:7-13"],
        smallest_effect=0.02,
        planned_units=units,
        planned_end=timezone.localdate() + timedelta(days=30),
        sources=[Source.objects.get(name=SHOWN).pk],
    )
    made = moves.move(key=KEY, action=Action.START)
    began = timezone.now() - timedelta(days=42)
    Experiment.objects.filter(pk=made.pk).update(started_at=began)
    made.history.filter(started_at__isnull=False).update(started_at=began, history_date=began)
    config.forget()


def _write(arms: Mapping[str, str]) -> None:
    """The exposures as our door writes them, and what the units did: two thirds come back in the second week."""
    import pyarrow as pa
    from django.utils import timezone

    from events.schema import prefix_of
    from events.store import event_table

    noon = (timezone.now() - timedelta(days=30)).replace(hour=12, minute=0, second=0, microsecond=0)
    rows: list[tuple[str, str, datetime, str, str]] = []
    for place, (unit, arm) in enumerate(arms.items()):
        said = json.dumps({"experiment_id": KEY, "variation_id": arm})
        rows.append((unit, "Experiment Viewed", noon, said, f"assignment:{place}"))
        back = noon + timedelta(days=9 if place % 3 else 1)
        rows.append((unit, "play", back, "{}", f"{prefix_of(99, 'server')}:p{place}"))
    rows.append(("end", "play", timezone.now(), "{}", f"{prefix_of(99, 'server')}:end"))
    columns: dict[str, Any] = {
        name: [row[at] for row in rows]
        for at, name in enumerate(("user_id", "event", "time", "properties", "message_id"))
    }
    columns["time"] = columns["received_at"] = pa.array(columns["time"], pa.timestamp("us", tz="UTC"))
    event_table.append(pa.table(columns), app_id="forging", version=1)


def forge(key: str, pairs: Mapping[str, str]) -> None:
    """What anybody can send who has read a page: exposures of these units in these arms."""
    from django.test import Client
    from django.utils import timezone

    at = (timezone.now() - timedelta(days=20)).astimezone(UTC).isoformat()
    batch = [
        {
            "type": "track",
            "event": "Experiment Viewed",
            "userId": unit,
            "timestamp": at,
            "properties": {"experiment_id": KEY, "variation_id": arm},
        }
        for unit, arm in pairs.items()
    ]
    answer = Client(headers={"Authorization": f"Bearer {key}"}).post(
        "/v1/batch", json.dumps({"batch": batch}), content_type="application/json", SERVER_NAME="localhost"
    )
    if answer.status_code != 200 or answer.json()["accepted"] != len(pairs):
        raise RuntimeError(f"the door said {answer.status_code}: {answer.content!r}")


def other_arms(units: int) -> dict[str, str]:
    """The first units with the arm that isn't theirs."""
    from experiments.models import Assignment

    rows = Assignment.objects.filter(unit__in=[f"u{number}" for number in range(units)])
    found = dict(rows.values_list("unit", "variant__key"))
    return {unit: _other(arm) for unit, arm in found.items()}


def drawn(units: list[str]) -> dict[str, str]:
    """What a local SDK computes from the payload that every client may read."""
    from experiments.draw.bucketing import choose, unit_hash
    from experiments.plan.stored import flag_of, with_parts

    flag = flag_of(with_parts([KEY]).get())
    found = {unit: choose(unit_hash(flag.seed, unit), flag.rows[0].ranges) for unit in units}
    return {unit: flag.arms[arm].key for unit, arm in found.items() if arm is not None}


def wrong(units: list[str]) -> dict[str, str]:
    """The arm that these units don't draw."""
    return {unit: _other(arm) for unit, arm in drawn(units).items()}


def _other(arm: str) -> str:
    return "banner" if arm == "control" else "control"


def analysed(experiment: Any) -> Any:
    """The readout of an analysis of now, which isn't kept."""
    from experiments.analyse.analyses import create_analysis, run_analysis
    from experiments.analyse.payload_versions import READOUT
    from experiments.models import Analysis

    analysis = create_analysis(experiment=experiment)
    run_analysis(analysis.pk)
    row = Analysis.objects.get(pk=analysis.pk)
    found = READOUT.of(row)
    if found is None:
        raise RuntimeError(row.reason)
    Analysis.objects.filter(pk=analysis.pk).delete()
    return found


def numbers(readout: Any) -> Any:
    """Verdict, split and figures: what forging must not move."""
    rows = [(row.variant, row.difference) for row in readout.report.outcomes[0].comparisons]
    return readout.verdict, readout.sample_ratio, readout.flow.exposed, readout.flow.several_variants, rows
