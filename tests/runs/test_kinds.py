"""The registry of run kinds: complete, and every name in it leads somewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.template.loader import get_template
from django.urls import reverse
from django.utils import translation
from django.utils.module_loading import import_string

from aha.models import Study
from experiments.models import Analysis, Experiment
from runs.kinds import RunKind, all_kinds, find_kind, kind_of
from runs.models import Run
from runs.payloads import Schema
from segments.models import SegmentationRun

ROOT = Path(__file__).resolve().parent.parent.parent
KINDS = list(all_kinds())
# How computations name the stage that they are in: `progress("units", 0.2)`.
NAMED = re.compile(r"\b(?:progress|told|listen)\(\"(\w+)\"")


def test_kinds__every_model_of_a_run__is_listed_once() -> None:
    models = [model._meta.label for model in apps.get_models() if issubclass(model, Run)]

    assert sorted(kind.model for kind in KINDS) == sorted(models)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model)
def test_kind__each_name__leads_to_something(kind: RunKind) -> None:
    for name in (kind.draw, kind.body, kind.document):
        assert not name or callable(import_string(name))
    assert isinstance(import_string(kind.schema), Schema)
    if kind.template:
        get_template(kind.template)
    assert bool(kind.body) == bool(kind.template) == bool(kind.document)
    for path in kind.run_class.NAMED_BY:
        model: Any = kind.run_class
        for name in path.split("__"):
            field = model._meta.get_field(name)
            assert field.is_relation
            model = field.related_model


@pytest.mark.django_db
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model)
def test_kind__permissions__exist(kind: RunKind) -> None:
    for name in filter(None, (kind.permission, kind.may_read)):
        app, codename = name.split(".")
        assert Permission.objects.filter(content_type__app_label=app, codename=codename).exists()


@pytest.mark.parametrize("app", ["aha", "segments", "experiments"])
def test_stages__each_that_a_computation_names__has_words_in_both_languages(app: str) -> None:
    known = {stage: words for kind in KINDS if kind.model.startswith(app) for stage, words in kind.stages.items()}
    files = [
        path for path in (ROOT / app).rglob("*.py") if not {"migrations", "explore"} & set(path.parts)
    ]  # Explore is no run

    named = {stage for path in files for stage in NAMED.findall(path.read_text(encoding="utf-8"))}

    assert named
    assert named - known.keys() == set()
    with translation.override("en"):
        english = {stage: str(words) for stage, words in known.items()}
    with translation.override("ko"):
        assert {stage for stage, words in known.items() if str(words) == english[stage]} == set()


@pytest.mark.parametrize(
    ("run", "page", "progress", "home"),
    [
        (Study(pk=7), "/aha/studies/7/", "/aha/studies/7/progress/", "/aha/studies/7/"),
        (SegmentationRun(pk=7), "/segments/runs/7/", "/segments/runs/7/progress/", "/segments/runs/7/"),
        (
            Analysis(pk=7, experiment=Experiment(key="exp")),
            "/experiments/exp/7/",
            "/experiments/exp/7/progress/",
            "/experiments/exp/",
        ),
    ],
)
def test_urls__of_a_run__are_those_of_bookmarks(run: Run, page: str, progress: str, home: str) -> None:
    kind = kind_of(run)

    assert (kind.url(run), kind.url(run, "progress"), kind.home_url(run)) == (page, progress, home)
    assert kind.url(run, "cancel") == progress.replace("progress", "cancel")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model)
def test_routes__of_each_kind__exist(kind: RunKind) -> None:
    route, *names = kind.page
    values = ["exp" if "." in name else 7 for name in names]

    assert len({reverse(route + action, args=values) for action in ("", "_progress", "_cancel")}) == 3


def test_find_kind__unknown__is_none_and_an_unlisted_run_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_kind("auth.User") is None
    monkeypatch.setattr(apps.get_app_config("aha"), "run_kinds", ())

    with pytest.raises(LookupError, match=r"aha\.Study"):
        kind_of(Study())
