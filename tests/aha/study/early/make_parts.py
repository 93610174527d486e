"""A study that is running, with the parts that it has told: two behaviours, one of them below the recommended reach."""

from typing import Any

import numpy as np

from aha.models import Study
from aha.study import preliminary
from aha.study.numbers import Interval
from aha.study.preliminary import Chances, Counted, Followed, Jump, Jumps, Left, Marked, Place, Places
from aha.study.report_columns import who_counts
from aha.study.step import StepVerdict
from reporting.document import dump
from stats.results import NotComputable, Reason
from tests.aha.make_report import INPUTS, cell

PEOPLE = who_counts(1_100, {"too_young": 100}, np.arange(1_000) < 400, np.full(1_000, np.datetime64("2026-01-01")))
CELL = cell(
    ppv=Interval(0.625, 0.58, 0.67), retained_without=Interval(0.25, 0.22, 0.29), difference=Interval(0.375, 0.32, 0.43)
)
NO_CELL = NotComputable(Reason.NO_CELL_TO_RECOMMEND)
BEHAVIOURS = ("friend_add", "rotate")


def counted(users: int = 1_000) -> Counted:
    return Counted(PEOPLE, users, 7, BEHAVIOURS, (CELL, NO_CELL), retention_sampled=users < 1_000)


FIRST: dict[str, Any] = {preliminary.COUNTED: dump(counted(200))}
SOME: dict[str, Any] = {
    preliminary.COUNTED: dump(counted()),
    preliminary.MARKED: dump(Marked({"rotate": ("forced",)})),
    preliminary.LUCK: dump(Chances({"friend_add": 0.001, "rotate": None}, None)),
}
ALL: dict[str, Any] = {
    **SOME,
    preliminary.ACTIVE: dump(Chances({}, NotComputable(Reason.NO_CELL_TO_TEST))),
    preliminary.MODEL: dump(Places({"friend_add": Place(1, 1, 2)}, None)),
    preliminary.JUMPS: dump(
        Jumps({"friend_add": Jump(StepVerdict.JUMP, None, None), "rotate": None}, {"friend_add": NO_CELL})
    ),
    preliminary.FOLLOWED: dump(Followed(("friend_add",))),
    preliminary.LEFT + "friend_add": dump(Left(3, 2, NotComputable(Reason.NO_OVERLAP))),
}
RUNNING: dict[str, Any] = {"count": 4, "parts": SOME}


def running_study(documents: dict[str, Any] = FIRST, count: int = 1) -> Study:
    return Study.objects.create(
        title="Spring",
        status="running",
        stage="model",
        share=0.3,
        inputs=dump(INPUTS),
        early={"count": count, "parts": documents},
    )
