"""The served configuration, kept in each process and renewed within two seconds of a change in any of them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.db.models import F, Prefetch
from django.utils import timezone

from events.services import away
from experiments.evaluation import Arm, Flag, Row, Slot
from experiments.models import ConfigVersion, Experiment, Override
from experiments.plan.lifecycle import LIVE, SERVED
from experiments.plan.rules import WHOLE

CHECK_SECONDS = 1.0
AWAY = (OperationalError, InterfaceError)
log = structlog.get_logger()


@dataclass(frozen=True)
class Config:
    """What the doors serve: flags by flag key, the number of the configuration, and when it last changed."""

    version: int
    changed_at: datetime
    flags: dict[str, Flag]


@dataclass
class _Kept:
    config: Config
    checked: float  # monotonic seconds


_kept: _Kept | None = None


def current() -> Config:
    """The configuration, at most `CHECK_SECONDS` old, or older while the database is away.

    Raises:
        django.db.Error: when the database is away and this process has none yet.
    """
    global _kept  # noqa: PLW0603 - the cache of this process
    now = time.monotonic()
    kept = _kept
    if kept is not None and now - kept.checked < CHECK_SECONDS:
        return kept.config
    try:
        away.refuse_if_silent()
        # The number first: what changes while the rest is being read will be noticed at the next check.
        row = ConfigVersion.objects.filter(pk=1).values_list("version", "changed_at").first() or (0, timezone.now())
        config = kept.config if kept is not None and kept.config.version == row[0] else _load(*row)
    except AWAY as trouble:
        away.note(now)
        if kept is None:
            raise
        log.warning("config.database_away", error=type(trouble).__name__)
        config = kept.config
    _kept = _Kept(config, now)
    return config


def touch() -> None:
    """Tell every process to read the configuration again. Call it in the transaction of the change."""
    moment = timezone.now()
    if not ConfigVersion.objects.filter(pk=1).update(version=F("version") + 1, changed_at=moment):
        ConfigVersion.objects.create(pk=1, changed_at=moment)


def forget() -> None:
    """Forget what this process has read."""
    global _kept  # noqa: PLW0603 - the cache of this process
    _kept = None


def flag_of(experiment: Experiment) -> Flag:
    """A stored experiment as it is served."""
    variants = list(experiment.variants.all())
    index = {variant.pk: at for at, variant in enumerate(variants)}
    shares = tuple(variant.weight / WHOLE for variant in variants)
    overrides = list(experiment.overrides.all())
    return Flag(
        pk=experiment.pk,
        flag=experiment.flag_key,
        key=experiment.key,
        name=experiment.name,
        version=experiment.version,
        state=experiment.status,
        default=_cast(experiment.default_value, experiment.value_type),
        arms=tuple(Arm(v.pk, v.key, v.name or v.key, _cast(v.value, experiment.value_type)) for v in variants),
        rows=_rows(experiment, shares),
        seed=experiment.seed,
        hash_version=experiment.hash_version,
        holdout=_left_over(experiment),
        layer=_slice(experiment),
        enrolment_open=experiment.enrolment_closed_at is None,
        new_since=experiment.started_at if experiment.enrolment == Experiment.Enrolment.NEW_UNITS else None,
        overrides={one.unit: index[one.variant_id] for one in overrides if one.unit is not None},
        forced=tuple((one.rule, index[one.variant_id]) for one in overrides if one.rule is not None),
        remote_only=experiment.remote_only,
    )


def with_parts(keys: Iterable[str] | None = None) -> Any:
    """Experiments with all that `flag_of` reads, in few statements."""
    rows = Experiment.objects.select_related("layer", "holdout").prefetch_related(
        "variants", "audience", Prefetch("overrides", Override.objects.order_by("id"))
    )
    return rows if keys is None else rows.filter(key__in=keys)


def _load(version: int, changed_at: datetime) -> Config:
    served = with_parts().filter(status__in=[status.value for status in SERVED])
    # Of several experiments under one flag the live one is served, else the last that was started.
    ordered = sorted(served, key=lambda one: (one.status in LIVE, one.started_at or one.created_at))
    return Config(version, changed_at, {one.flag_key: flag_of(one) for one in ordered})


def _rows(experiment: Experiment, shares: tuple[float, ...]) -> tuple[Row, ...]:
    rows = [
        Row(
            segment=row.segment_key,
            rule=row.rule,
            coverage=row.coverage / WHOLE,
            weights=shares if row.weights is None else tuple(weight / WHOLE for weight in row.weights),
        )
        for row in experiment.audience.all()
    ]
    return tuple(rows) or (Row(None, None, 1.0, shares),)


def _left_over(experiment: Experiment) -> Slot | None:
    holdout = experiment.holdout
    return None if holdout is None else Slot(holdout.seed, holdout.share / WHOLE, 1.0)


def _slice(experiment: Experiment) -> Slot | None:
    layer = experiment.layer
    return None if layer is None else Slot(layer.seed, experiment.layer_low / WHOLE, experiment.layer_high / WHOLE)


def _cast(value: Any, value_type: str) -> Any:
    """A number is always printed as 1.0: clients in Python refuse 1 for a float flag."""
    return float(value) if value_type == "number" and isinstance(value, int) else value
