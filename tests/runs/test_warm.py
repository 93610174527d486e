"""What a worker compiles when it starts lies on disk, and is not compiled again."""

from pathlib import Path
from typing import Any

import pytest

from runs import warm


@pytest.mark.slow
@pytest.mark.once
def test_in_background__first_worker_of_a_site__compiles_and_the_next_does_not(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.COMPILED_DIR = str(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))  # the other process inherits it

    thread = warm.in_background()
    assert thread is not None
    thread.join(300)

    compiled = {path.name.partition("-")[0] for path in tmp_path.rglob("*.nbi")}
    assert "layouts._optimize_layout_euclidean_single_epoch" in compiled
    assert warm.in_background() is None
