"""The plan as an analysis used it: the record, what happened since the start, and the hash of what decides a number.

Pure. It is part of every stored result, as one flat document whose names are those of version 0.3: a new field needs a
default, and no field may be renamed there (`to_document`, `from_document`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from datetime import date
from typing import Any

from experiments.draw.bucketing import Saturation
from experiments.plan.derived import saturations
from experiments.plan.record import WHOLE, WORDS, Plan, PlannedRow, PlannedVariant, Predictor
from reporting.document import dump, load

# Fields of the plan that aren't stored with a result: no number of it depends on them, and no report shows them. The
# signup event is part of the `Question`. A plan read back has none of them.
SERVED = frozenset({"flag", "value_type", "default", "enrolment", "layer", "holdout", "remote_only", "sources", "seed"})
LEFT_OUT = SERVED | {"hash_version", "signup_event"}
# Names that were part of definitions in version 0.3. A later field is hashed only when it isn't at its default: a plan
# that doesn't use it keeps its hash.
FIRST_HASHED = frozenset(
    {"key", "primary", "planned_units", "planned_end", "smallest_effect", "claim", "secondary", "guardrails", "alpha"}
    | {"power", "method", "looks", "spending", "covariates", "clock", "day_mode", "churn_gap"}
)


@dataclass(frozen=True)
class Amended:
    """A logged change of the plan after the start: field, value before, value after."""

    on: date
    by: str
    why: str
    changes: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class History:
    """Events in a plan's life since its start.

    Attributes:
        started: local date; of a draft, today.
        enrolment_ended: local date from which no unit is enrolled any more; None while enrolment is open.
        amendments: logged, oldest first.
        intact: False when the plan changed after the start without a logged amendment.
    """

    started: date
    enrolment_ended: date | None = None
    amendments: tuple[Amended, ...] = ()
    intact: bool = True


@dataclass(frozen=True)
class Analysed:
    """The plan at the time of the analysis.

    Attributes:
        plan: with its amendments. Of a stored result: without the fields that are `LEFT_OUT`, without values and names
            of the variants, and with the audience reduced to its segments and their weights.
        history: since the start.
        prediction: the model by which a plan with `lin_predicted` adjusts; None without one.
        definition: hash of everything here that decides a number.
    """

    plan: Plan
    history: History
    prediction: Predictor | None = None
    definition: str = ""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        """How `reporting.document` stores and reads it."""
        from pydantic_core import core_schema  # web workers avoid this import

        return core_schema.no_info_plain_validator_function(
            from_document, serialization=core_schema.plain_serializer_function_ser_schema(to_document)
        )


def analysed(plan: Plan, history: History, prediction: Predictor | None = None) -> Analysed:
    """The plan as it is stored with an analysis, with a hash of everything that decides a number."""
    record = Analysed(plan, history, prediction)
    unused = {field.name for field in fields(plan) if field.name not in FIRST_HASHED and _at_default(plan, field)}
    unused |= {"prediction"} if prediction is None else set()
    deciding = {name: value for name, value in to_document(record).items() if name not in WORDS | unused}
    text = json.dumps(deciding, sort_keys=True, default=str)
    return replace(record, definition=hashlib.sha256(text.encode()).hexdigest())


def same_numbers(one: Analysed, other: Analysed) -> bool:
    """True when two plans give the same numbers: texts may differ, and enrolment may have ended in between."""
    return _deciding(one) == _deciding(other)


def _at_default(plan: Plan, field: Field[Any]) -> bool:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return default is not MISSING and getattr(plan, field.name) == default


def _deciding(record: Analysed) -> dict[str, Any]:
    ignored = {*WORDS, "enrolment_ended", "definition"}
    return {name: value for name, value in to_document(record).items() if name not in ignored}


# The flat document in stored results and in what other programs receive.


@dataclass(frozen=True)
class Arms:
    """What the document says of a plan in other words than the plan.

    Attributes:
        variants: keys of the arms, control first.
        placebo: the arm with a nudge towards something inert.
        doses: number of times that a dose arm nudges to, by arm.
        shares: planned share of each arm by segment ("" for everyone), in the order of `variants`.
        take_up: expected; None when it wasn't planned.
        saturations: that a cluster could draw, as shares.
    """

    variants: tuple[str, ...]
    placebo: str | None
    doses: Mapping[str, int]
    shares: Mapping[str, tuple[float, ...]]
    take_up: float | None
    saturations: tuple[Saturation, ...] = ()


IN_OTHER_WORDS = frozenset({"variants", "audience", "expected_take_up", "saturations"})


def to_document(record: Analysed) -> dict[str, Any]:
    """Its JSON values: fields of the plan under their own names beside those of `Arms` and of the history."""
    plan = record.plan
    arms = Arms(
        plan.arms, plan.placebo_arm, plan.doses, plan.shares, plan.expected_take_up, saturations=saturations(plan)
    )
    return {
        **{name: value for name, value in dump(plan).items() if name not in LEFT_OUT | IN_OTHER_WORDS},
        "planned_units": plan.planned_units or 0,
        **dump(arms),
        **dump(record.history),
        "prediction": None if record.prediction is None else dump(record.prediction),
        "definition": record.definition,
    }


def from_document(document: Any) -> Analysed:
    """The record of a stored document, of any version.

    Raises:
        ValueError: when the document has another shape.
    """
    arms = load(Arms, document)
    rows = {segment: _steps(shares) for segment, shares in arms.shares.items()}
    prediction = document.get("prediction")
    own = next(iter(rows.values()), ())  # only the rows' weights are read: the variants' own aren't stored
    values = {
        "flag": "",
        "value_type": "",
        "default": None,
        "variants": tuple(_variant(arms, key, weight) for key, weight in zip(arms.variants, own, strict=True)),
        "audience": tuple(PlannedRow(segment or None, WHOLE, weights) for segment, weights in rows.items()),
        "expected_take_up": arms.take_up,
        "saturations": tuple(_steps((saturation.share, saturation.weight)) for saturation in arms.saturations),
    }
    return Analysed(
        plan=load(Plan, {name: value for name, value in document.items() if name not in LEFT_OUT} | values),
        history=load(History, document),
        prediction=None if prediction is None else load(Predictor, prediction),
        definition=str(document.get("definition", "")),
    )


def _variant(arms: Arms, key: str, weight: int) -> PlannedVariant:
    dose = arms.doses.get(key)
    role = "placebo" if key == arms.placebo else "nudge" if dose is None else "dose"
    return PlannedVariant(key, None, weight, role, dose)


def _steps(shares: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(share * WHOLE) for share in shares)
