"""Groups in a file: each check at its threshold and just beyond."""

import numpy as np
import pytest

from experiments.plan.design import GroupHint
from tests.experiments.analyse.health.make_context import findings, units


def test_unit_of_assignment__hint_only_without_clusters() -> None:
    hint = GroupHint("store", 120, 480)

    assert "unit_of_assignment" in findings(units((240, 240), group_hint=hint))
    clustered = units((240, 240), group_hint=hint, cluster=np.repeat(np.arange(120), 4))
    assert "unit_of_assignment" not in findings(clustered, cluster="store")


@pytest.mark.parametrize(("groups", "few"), [(19, True), (20, False)])
def test_few_clusters__below_twenty_per_arm(groups: int, few: bool) -> None:
    data = units((groups * 5, 150), cluster=np.concatenate([np.repeat(np.arange(groups), 5), 100 + np.arange(150)]))

    assert ("few_clusters" in findings(data, cluster="store")) == few


def test_mixed_clusters__counted() -> None:
    data = units((100, 100), cluster=np.tile(np.arange(100), 2))

    assert findings(data, cluster="guild")["mixed_clusters"].details == {"n": 100, "clusters": 100}
