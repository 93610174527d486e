"""All commands end alike: 2 and one sentence for bad input, 1 where the computation has no result."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.utils.module_loading import import_string

from events.outbox import flush, reconcile_after_restore
from events.simulation import WORLDS, simulate, write_files
from events.store import ownership
from runs.perform import Computation
from runs.refusals import Refused
from tests.experiments.make import running

pytestmark = pytest.mark.django_db
COLUMNS = ("--user", "user_id", "--event", "event", "--time", "time", "--message-id", "message_id")
GROUPS = ("--signup-event", "signup", "--window")
STUDY = ("--signup-event", "signup", "--retention", "window:21-27", "--days")
LAUNCHED = ("autumn", "--began", "2026-03-31", "--curve", "active_users", "--decision", "Keep it.")
BAD_INPUT: dict[str, tuple[str, ...]] = {
    "adopt_store": ("--yes",),
    "analyze": ("nothing",),
    "analyze_file": ("none.csv", "--variant", "v", "--control", "c", "--outcome", "o"),
    "audit_log": ("--since", "yesterday"),
    "assign": ("nothing", "--unit", "u"),
    "promote": ("nothing",),
    "calendar": ("import", "none.csv"),
    "bootstrap": ("--email", "nobody"),
    "backup": (),
    "demo": ("--units", "0"),
    "design": ("nothing",),
    "discover": (*STUDY, "22"),
    "event_streams": ("--bind", "nowhere"),
    "export_user": ("u", "--out", "u.txt"),
    "flush_events": (),
    "forget_user": (),
    "import_experiment": (
        *("none.csv", "--variant", "v", "--control", "c", "--outcome", "o", "--behaviour", "b", "--name", "n"),
        *("--behaviour-key", "invite", "--times", "2", "--days", "3", "--outcome-spec", "on_day:7"),
        *("--from", "2026-01-01", "--to", "2026-01-31"),
    ),
    "import_events": ("none.csv", "--user", "u", "--event", "e", "--time", "t"),
    "map": ("--file", "none.csv"),
    "mcp": ("--http", "localhost"),
    "notices": ("--test", "nobody"),
    "balance": ("none.json",),
    "growth": ("--weeks", "0"),
    "launch": ("autumn",),
    "metrics": ("import", "none.yaml"),
    "pool": ("nothing",),
    "power": (),
    "restore": ("none.tar",),
    "segment_units": (*GROUPS, "13", "0"),
    "selftest": ("--plants", "0"),
    "sign_in_link": ("nobody",),
    "verify": ("nothing",),
    "write_results": ("--experiment", "nothing"),
    "simulate": ("folder", "--world", "nowhere"),
    "static_demo": ("folder",),
}
ASKS_NOTHING = {"doctor", "retain"}  # no argument can be wrong; what it finds has tests of its own
# Commands that compute for long, with what stands for their computation.
COMPUTING: dict[str, tuple[str, tuple[str, ...]]] = {
    "analyze": ("experiments.analyse.analyses.run_analysis", ("exp",)),
    "demo": ("insight_site.demo.loop.run", ()),
    "discover": ("aha.study.studies.run_study", (*STUDY, "7")),
    "growth": ("launches.growth.forecasts.run_forecast", ()),
    "launch": ("launches.readings.run_reading", LAUNCHED),
    "segment_units": ("segments.search.segmentations.compute_segmentation", (*GROUPS, "0", "13")),
    "selftest": ("insight_site.selftest.self_tests.run_self_test", ("--signup-event", "signup")),
}


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def _nothing_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ownership.StoreRefused(ownership.Trouble.FOREIGN)

    monkeypatch.setattr(flush, "flush_events", refuse)
    monkeypatch.setattr(reconcile_after_restore, "adopt_store", refuse)


def ended(command: str, *arguments: str) -> CommandError:
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(command, *arguments, stdout=out, stderr=StringIO())
    return caught.value


def test_tables__hold_every_command_of_the_house() -> None:
    ours = {config.name for config in apps.get_app_configs()} & {
        "events",
        "segments",
        "aha",
        "experiments",
        "launches",
        "insight_site",
    }

    assert {name for name, app in get_commands().items() if app in ours} == BAD_INPUT.keys() | ASKS_NOTHING


@pytest.mark.usefixtures("_nothing_is_ours")
@pytest.mark.parametrize("command", BAD_INPUT)
def test_bad_input__ends_with_2_and_one_sentence(command: str) -> None:
    error = ended(command, *BAD_INPUT[command])

    assert error.returncode == 2, error
    assert "\n" not in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMPUTING)
def test_failed_computation__ends_with_1_and_its_reason(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise Refused("The warehouse is away.")

    running("exp")
    write_files(simulate(WORLDS["planted_groups"], 50, 1), tmp_path / "world")
    call_command(
        "import_events", str(tmp_path / "world/events.parquet"), *COLUMNS, stdout=StringIO(), stderr=StringIO()
    )
    monkeypatch.setattr("aha.study.null.LEAST_UNITS", 1)  # a study of fifty users is refused before it is computed
    monkeypatch.setattr("aha.study.null.LEAST_PER_OUTCOME", 0)
    monkeypatch.setattr("insight_site.demo.whose_site.prepare", lambda **_: None)  # it wants an empty site
    place, arguments = COMPUTING[command]
    stands_for = import_string(place)
    monkeypatch.setattr(place, replace(stands_for, compute=broken) if isinstance(stands_for, Computation) else broken)

    error = ended(command, *arguments)

    assert (error.returncode, str(error)) == (1, "The warehouse is away.")


@pytest.mark.parametrize(
    "command", ["analyze", "analyze_file", "design", "discover", "import_experiment", "pool", "power", "segment_units"]
)
def test_language__of_commands_that_tell_results__is_an_option_of_all(command: str) -> None:
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)

    assert parser.get_default("language") == "en"
    assert "--language {en,ko}" in parser.format_help()


def test_power__in_korean__names_its_rows_in_korean() -> None:
    out = StringIO()

    call_command("power", "--baseline", "0.2", "--effect", "0.02", "--language", "ko", stdout=out)

    assert "per variant" not in out.getvalue()
