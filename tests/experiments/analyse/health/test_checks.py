"""The list of checks: what it holds, what runs on what, in which order, and what a broken check leaves."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from experiments.analyse import health
from experiments.analyse.codes import Finding, Severity
from experiments.analyse.health import all_checks
from experiments.analyse.health.all_checks import CHECKS, Check, examine
from experiments.analyse.health.context import Context
from tests.experiments.analyse.health.make_context import of_file, stored, units

FOLDER = Path(inspect.getfile(health)).parent


def test_list__every_check_of_the_folder__stands_in_it_once() -> None:
    modules = [import_module(f"{health.__name__}.{path.stem}") for path in FOLDER.glob("[a-z]*.py")]
    written = {
        value
        for module in modules
        for name, value in vars(module).items()
        if name.startswith("check_") and value.__module__ == module.__name__
    }

    assert len(CHECKS) == len(written)
    assert {check.run for check in CHECKS} == written


def test_list__each_check__needs_what_its_function_takes() -> None:
    takes = [inspect.signature(check.run).parameters["context"].annotation for check in CHECKS]

    assert takes == [check.needs for check in CHECKS]


def test_list__a_file_and_a_stored_experiment__share_these() -> None:
    shared = {check.run.__name__ for check in CHECKS if check.needs is Context}

    assert shared == {
        "check_sample_ratio",
        "check_sample_ratio_by_segment",
        "check_sizes",
        "check_placebo",
        "check_clusters",
    }


def test_examine__gravest_first() -> None:
    data = units((5165, 4835), several_variants=3, missing={"kept": (1, 1)})

    severities = [finding.severity for finding in examine(of_file(data))]

    assert severities == [Severity.ERROR, Severity.WARNING, Severity.INFO]


def test_examine__all_is_quiet__nothing_is_found() -> None:
    assert examine(stored()) == ()
    assert examine(of_file(units((500, 500)))) == ()


@pytest.mark.parametrize("context", [stored(), of_file(units((500, 500)))], ids=["stored", "file"])
def test_examine__a_check_that_breaks__becomes_a_finding(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: Context) -> Iterator[Finding]:
        yield Finding("late_events", Severity.INFO, {"n": 1 // len(context.counts) // 0})

    monkeypatch.setattr(all_checks, "CHECKS", (Check(Context, broken),))

    (finding,) = examine(context)

    assert finding.check == "check_failed"
    assert finding.details == {"check": "broken", "error": "ZeroDivisionError"}
