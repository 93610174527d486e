"""What a worker compiles when it starts lies on disk, and is not compiled again."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runs.queue import worker

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.once
def test_warm_up__first_worker_of_a_site__compiles_and_the_next_does_not(tmp_path: Path, settings: Any) -> None:
    settings.COMPILED_DIR = str(tmp_path)
    assert worker.needs_warming()

    subprocess.run(
        [sys.executable, "-c", "import django; django.setup(); from runs.queue import worker; worker.warm_up()"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "insight_site.settings",
            "COMPILED_DIR": str(tmp_path),
            "NUMBA_CACHE_DIR": str(tmp_path),
        },
        check=True,
    )

    compiled = {path.name.partition("-")[0] for path in tmp_path.rglob("*.nbi")}
    assert "layouts._optimize_layout_euclidean_single_epoch" in compiled
    assert not worker.needs_warming()
