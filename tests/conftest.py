"""Fixtures for every test: the folder of real data, and nothing else that hides where a value comes from."""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from coverage import Coverage
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils import translation
from hypothesis import HealthCheck, settings

from runs.parallel import use_workers
from tests.left_out import is_left_out

# Several tests run at once, each with its own computations; those that are about workers set their number themselves.
os.environ.setdefault("COMPUTE_WORKERS", "1")
use_workers(1)

# How slow a shared machine is at a moment says nothing about a test.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# Tests that reach 97 % of what `make fast` has a floor for (`source_pkgs` in pyproject.toml).
OF_THE_PURE_MODULES = ("tests/stats/", "tests/experiments/analyse/", "tests/events/test_", "tests/events/expressions/")
_paused: list[Coverage] = []
REQUIRED = os.environ.get("CI_REQUIRE_ALL") == "1"


def missing(what: str) -> NoReturn:
    """Skip on a developer's machine, fail in CI, where everything has to be there."""
    if REQUIRED:
        pytest.fail(f"{what} is missing, and CI may not skip")
    pytest.skip(f"{what} is missing")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Files of which `-m` leaves out all, unless one is asked for by its name."""
    named = any(".py" in argument for argument in config.args)
    if named or not collection_path.name.startswith("test_") or collection_path.suffix != ".py":
        return None
    return is_left_out(collection_path.read_text(encoding="utf-8"), str(config.getoption("-m"))) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `engines`, `deploy` or `docs` run only where that name asks for them, as in `make test-engines`."""
    for mark in ("engines", "deploy", "docs"):
        if mark in str(config.getoption("-m")):
            continue
        left = [item for item in items if item.get_closest_marker(mark)]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker(mark)]


def pytest_runtest_logstart(nodeid: str) -> None:
    """Lines are noted where they count: in the other tests noting them takes a third of the time."""
    if nodeid.startswith(OF_THE_PURE_MODULES):
        while _paused:
            _paused.pop().start()
        return
    while (noting := Coverage.current()) is not None:  # in a worker of xdist there are two
        noting.stop()
        _paused.append(noting)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported stays to the end: to go through it again and again takes a tenth of collecting and a twentieth
    of the tests' time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()  # what nobody can reach, too: to look for it takes a second of each worker
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> Iterator[None]:
    """Of pytest-django, before it makes the database; asks for what gives each worker of xdist a name."""
    from tests import migrated

    request.getfixturevalue("django_db_modify_db_settings_parallel_suffix")
    with migrated.copied_by_django():
        yield


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 of this test session."""
    from tests import object_store  # which needs `missing`

    with object_store.server() as address:
        yield address


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket of one test; this process and those that it starts have the keys."""
    from tests import object_store

    return object_store.new_bucket(s3_server, monkeypatch.setenv)


@pytest.fixture(scope="session", autouse=True)
def _database_that_may_not_be_asked() -> Iterator[None]:
    """A test without a database works on a store of its own, of which no database knows anything."""
    from events.store import ownership

    asked = ownership.known

    def known() -> ownership.Known:
        try:
            return asked()
        except RuntimeError:  # of pytest-django: this test may not use the database
            return ownership.Known()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership, "known", known)
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_hashed_once() -> Iterator[None]:
    """Hashing a password takes a fifth of a second, to protect nobody here. Other processes can check such a hash."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


@pytest.fixture(scope="session", autouse=True)
def _emptied_where_it_was_filled() -> Iterator[None]:
    """After a test that commits."""
    from django.test import TransactionTestCase

    from tests import emptied

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptied.empty)
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_found_once() -> Iterator[None]:
    """Each `Client()` makes the middleware anew, which would look for all static files in the folders of all apps."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def add(middleware: WhiteNoiseMiddleware) -> None:
        if middleware.static_prefix not in found:
            before = set(middleware.files)
            look(middleware)
            found[middleware.static_prefix] = {url: middleware.files[url] for url in set(middleware.files) - before}
        middleware.files.update(found[middleware.static_prefix])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add)
        yield


@pytest.fixture(autouse=True)
def _no_calls_before() -> None:
    """What this process remembers of calls a minute is of one test, as the rows of its database are."""
    from insight_site.access import limits

    limits._held.clear()


@pytest.fixture(autouse=True)
def _no_logins_before() -> None:
    """Nor does this process remember a login, or an erased user, that another test's database had."""
    from events.people import identity, login_events, tombstones

    login_events.forget()
    identity.forget()
    tombstones.forget()


@pytest.fixture(autouse=True, scope="session")
def _zone_before_any_test() -> None:
    """The same for fixtures that serve a whole module, which come before those of a test."""
    from runs import site_zone

    site_zone.CHECK_SECONDS, site_zone._kept = float("inf"), site_zone._Kept("", 0.0)


@pytest.fixture(autouse=True)
def _zone_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has chosen a time zone, and this process knows it: a test without a database may ask for the date, and
    one that counts queries counts its own. Choosing one is seen at once."""
    from runs import site_zone

    monkeypatch.setattr(site_zone, "CHECK_SECONDS", float("inf"))
    monkeypatch.setattr(site_zone, "_kept", site_zone._Kept("", 0.0))


@pytest.fixture(autouse=True)
def _english_at_first() -> None:
    """No test finds the language that an earlier one left in this process: xdist orders them anew each time."""
    translation.deactivate()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data with known answers; its rows never enter the project."""
    folder = os.environ.get("INSIGHT_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        missing("the folder INSIGHT_REAL_DATA")
    return Path(folder)
