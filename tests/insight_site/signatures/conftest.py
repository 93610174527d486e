"""A site with one final analysis: its store is imported once, and each test has a copy to break."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from events.simulation import WORLDS, Simulation, draw_arms, simulate
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.models import Analysis
from tests.aha.store import store_of
from tests.experiments.stored import stored_experiment

UNITS = 600


@pytest.fixture(scope="session")
def signed_world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 3, draw_arms(WORLDS["step"], UNITS, 3))


@pytest.fixture(scope="session")
def filled_store(signed_world: Simulation, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: object) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    with django_db_blocker.unblock(), store_of(signed_world, folder):  # type: ignore[attr-defined]
        return folder / "store"


@pytest.fixture
def site(tmp_path: Path, filled_store: Path, settings: Settings) -> Path:
    """Folder of a site of its own: its store, and a place for its key."""
    shutil.copytree(filled_store, tmp_path / "events")
    (tmp_path / "var").mkdir(mode=0o700)
    settings.EVENTS_URL, settings.VAR_DIR, settings.SIGNING_KEY = str(tmp_path / "events"), tmp_path / "var", ""
    return tmp_path


@pytest.fixture
def final(site: Path, signed_world: Simulation) -> Callable[..., Analysis]:
    """A final analysis, made on demand."""

    def make(**fields: Any) -> Analysis:
        plain: dict[str, Any] = {
            "moment": False,
            "covariates": [],
            "expected_take_up": None,
        }  # quicker, and as good for most tests
        row = create_analysis(experiment=stored_experiment(signed_world, **{**plain, **fields}))
        assert run_analysis(row.pk), Analysis.objects.get(pk=row.pk).reason
        row.refresh_from_db()
        assert row.final
        return row

    return make
