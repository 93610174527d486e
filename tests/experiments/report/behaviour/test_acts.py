"""Step or dose: the table and the sentence say what the arms' joint sets say."""

import pytest

from experiments.report import acts
from stats.instrument.arms import EffectSet
from stats.instrument.dose import Dose, DoseTest
from stats.results import NotComputable, Reason

NO_BREAK = "\N{NO-BREAK SPACE}"
NO_FIT = NotComputable(Reason.NO_FIRST_STAGE)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (((0.1, 0.3),), "0.1000 to 0.3000"),
        ((), "none: the groups contradict this reading"),
        (((None, -0.2), (0.4, None)), "up to −0.2000; from 0.4000 on"),
        (((None, None),), "every effect"),
    ],
)
def test_dose__joint_set__stands_beside_its_reading(
    pieces: tuple[tuple[float | None, float | None], ...], shown: str
) -> None:
    table = acts.dose(DoseTest(NO_FIT, NO_FIT, Dose.UNCLEAR, EffectSet(pieces, 0.95), EffectSet(((0.0, 1.0),), 0.95)))
    assert table.rows[0][-1].replace(NO_BREAK, " ") == shown
    assert table.rows[1][-1].replace(NO_BREAK, " ") == "0 to 1.000"


def test_dose__of_an_earlier_version__says_that_it_has_no_set() -> None:
    table = acts.dose(DoseTest(NO_FIT, NO_FIT, Dose.STEP))
    assert all("earlier version" in row[-1] for row in table.rows)
    assert "fit a step" in acts.dose_finding(DoseTest(NO_FIT, NO_FIT, Dose.STEP))
