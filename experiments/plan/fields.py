"""What the table of plan fields says of each field: kind, lock, words, and who sees it. Pure.

The table itself is `record.PlanColumns`. Model, forms, admin, serializer, summary, copies and agents' tools are made
of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, get_type_hints


class Lock(StrEnum):
    """Until when a column of the plan may change."""

    FROZEN = "frozen"  # until the start: a unit's arm, or the arm's meaning, depends on it
    JUDGING = "judging"  # by amendments, until a person has read the outcome that it judges
    OPEN = "open"  # by amendments


class Kind(StrEnum):
    """What a column holds, and so how it is stored, entered, sent and shown."""

    TEXT = "text"
    PROSE = "prose"
    NAME = "name"  # of an event or attribute of the data
    CHOICE = "choice"
    SHARE = "share"
    EFFECT = "effect"
    COUNT = "count"
    DAYS = "days"
    STEPS = "steps"  # a share in steps of 0.01 %
    DATE = "date"
    SWITCH = "switch"
    VALUE = "value"  # of a flag
    METRICS = "metrics"
    RULES = "rules"  # of guardrails
    NAMES = "names"  # of properties
    LOOKS = "looks"
    SOURCES = "sources"
    SATURATIONS = "saturations"
    OTHERS = "others"  # behaviours that the nudge may move, too
    NUDGES = "nudges"  # of a lab
    OWN = "own"  # declared by the model: another row, or made for the draw


class Part(StrEnum):
    """Group of fields in the API and the admin, in their order there."""

    QUESTION = "question"
    CLAIM = "claim"
    VALUES = "values"
    OUTCOMES = "outcomes"
    DECISION = "decision"
    LOOKS = "looks"
    SIZE = "size"
    EXPECTED = "expected"
    DATA = "data"
    AUDIENCE = "audience"
    CLUSTERS = "clusters"
    DRAW = "draw"


LISTS = frozenset({Kind.METRICS, Kind.NAMES, Kind.LOOKS, Kind.SOURCES, Kind.SATURATIONS, Kind.OTHERS, Kind.NUDGES})
OF_DATA = frozenset({Kind.METRICS, Kind.RULES, Kind.NAMES, Kind.NAME})  # these texts say what is read from the events
LAST = 99


@dataclass(frozen=True, kw_only=True)
class PlanField:
    """One column of an experiment that people plan. Texts are translated where they are shown, `api` never is.

    Attributes:
        label: as the column is called; `title` as its step calls it, with `help`.
        lock: None where a value only sizes a draft and is no part of the plan.
        plan: field of `record.Plan` that it makes; "" for one with the column's name.
        step: where the plan's pages ask for it; "" where its page or another field does.
        place: its order there, where that isn't the table's.
        usual: text that a button proposes in place of a wrong value; None for no button.
        summed: a line of its own in the summary of the plan.
        admin_label: the admin's name for it where the form shows other values than the column holds.
        help_in_admin: the admin shows `help`, too.
        api: its help in OpenAPI.
        default: of the column; None for a column that may be empty.
        least, most: limits of a number; `most` also the longest text.
        choices: label by value.
        optional: an empty value of a form keeps the stored one, or the default.
        filled: made from other fields where a request leaves it out.
        agents: True where agents may set it in a draft.
        copied: False for what a copy of the plan gets anew.
        words: True for texts and notes, whose change changes no number.
        unique, indexed, db_default: of the column.
        column: its name, which is the API's and the forms', too; the table gives it.
    """

    kind: Kind
    part: Part
    lock: Lock | None
    label: str = ""
    plan: str = ""
    step: str = ""
    place: int = LAST
    title: str = ""
    help: str = ""
    usual: str | None = None
    summed: bool = False
    admin_label: str = ""
    help_in_admin: bool = False
    api: str = ""
    default: Any = None
    least: float | None = None
    most: int | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False
    filled: bool = False
    agents: bool = True
    copied: bool = True
    words: bool = False
    unique: bool = False
    indexed: bool = False
    db_default: bool = False
    column: str = ""

    @property
    def name(self) -> str:
        """Name in forms and API: a related row's without `_id`."""
        return self.column.removesuffix("_id")


def fields_of(table: type) -> dict[str, PlanField]:
    """The fields of a table by column, in its order."""
    hints = get_type_hints(table, include_extras=True)
    return {
        column: replace(hint.__metadata__[0], column=column, plan=hint.__metadata__[0].plan or column)
        for column, hint in hints.items()
    }


def in_parts(table: Mapping[str, PlanField], *parts: Part) -> list[str]:
    """Names of the fields of these parts, in the order of the parts, then of the table."""
    return [column.name for part in parts for column in table.values() if column.part is part]


def on_step(table: Mapping[str, PlanField], step: str) -> list[PlanField]:
    """Fields that a step of the plan's pages asks for, in their order there."""
    return sorted((column for column in table.values() if column.step == step), key=lambda column: column.place)


# Values of the choices that code names.


class ExperimentKind(StrEnum):
    TEST = "test"
    LAB = "lab"  # several nudges, each drawn by itself


class ValueType(StrEnum):
    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"


class Method(StrEnum):
    FIXED = "fixed"
    GROUP_SEQUENTIAL = "group_sequential"
    ALWAYS_VALID = "always_valid"


class Spending(StrEnum):
    OBRIEN_FLEMING = "obrien_fleming"
    POCOCK = "pocock"


class Primary(StrEnum):
    UNADJUSTED = "unadjusted"
    LIN = "lin"
    LIN_PREDICTED = "lin_predicted"


class ClockZero(StrEnum):
    EXPOSURE = "exposure"
    SIGNUP = "signup"


class DayMode(StrEnum):
    ROLLING = "rolling"
    CALENDAR = "calendar"


class Otherwise(StrEnum):
    SHIP = "ship"
    DONT = "dont"
    ASK = "ask"


class Origin(StrEnum):
    """Where the limits of another behaviour's effect come from (docs/methods/joint.md, "Other behaviours")."""

    EXPERIMENTS = "experiments"  # the set of finished experiments on it
    PROMISE = "promise"  # the adjusted gap of a study
    COHORT = "cohort"  # the raw gap of the plan's earlier users
    PERSON = "person"


class Enrolment(StrEnum):
    ALL = "all"
    NEW_UNITS = "new_units"
