"""What the documentation site is made of: pages that are made of the code say what the code does.

Whether each page has its place, its languages and its parts is checked by `tools.check`, in `make lint`.
"""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.utils.module_loading import import_string

from runs.payloads import Schema
from tools.docs_site import afterwards, sources
from tools.docs_site.reference import commands, metric_forms, payloads, promise_picture, rest, settings_page, terms

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("insight_site", "launches", "experiments", "aha", "segments", "events", "runs")


def test_adapted__links__lead_to_places_of_the_site_or_become_text() -> None:
    page = ROOT / "docs" / "security.md"
    pages = sources.source_pages(ROOT)
    text = "See [policy](../SECURITY.md), [roles](roles.md#keys), [code](../manage.py), [other](https://example.com).\n"

    written = sources.adapted(text, page, pages, ROOT)

    assert written == (
        "See [policy](project/security-policy.md), [roles](roles.md#keys), code, [other](https://example.com).\n"
    )


def test_adapted__what_is_set_in_below_a_number__stays_in_its_item() -> None:
    page = ROOT / "docs" / "deploy.md"
    text = "1. One:\n   ```\n   [a](b)\n   ```\n2. Two.\n\nText.\n"

    written = sources.adapted(text, page, sources.source_pages(ROOT), ROOT)

    assert written == "1. One:\n    ```\n    [a](b)\n    ```\n\n2. Two.\n\nText.\n"


def test_pointers__of_pages_that_have_moved__lead_to_pages_that_are_there() -> None:
    there = {"methods/power.md", "power-of-two.md"}

    assert sources.pointers(there) == {
        "power.md": "# This page has moved\n\nIt is now [methods/power.md](methods/power.md).\n"
    }
    assert sources.pointers({*there, "power.md"}) == {}


def test_commands__every_one_of_ours__is_on_the_page_with_its_options() -> None:
    text = commands.pages()["reference/commands.md"]

    assert [name for name, app in get_commands().items() if app in OURS and f"## `{name}`" not in text] == []
    assert re.search(r"\| `--take-up T` \| share whom the nudge moves; default 1 \|", text)
    assert "### `metrics export`" in text
    assert "--traceback`" not in text.partition("## ")[2]


def test_settings__every_line_of_the_example__is_on_the_page_with_its_comment() -> None:
    names = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    text = settings_page.pages(ROOT)["reference/settings.md"]

    assert len(names) > 100
    assert [name for name in names if not re.search(rf"`{name}=", text)] == []
    assert "| `WORKERS=2`<br>`WORKER_MB=3000`<br>" in text


@pytest.mark.slow
def test_rest__every_call_of_the_openapi_files__is_on_a_page() -> None:
    text = "".join(rest.pages(ROOT).values())
    calls = [
        f"`{method.upper()} {path}`"
        for name in ("openapi.yaml", *(door[2] for door in rest.DOORS))
        for path, operations in rest._read(ROOT, name)["paths"].items()
        for method in operations
        if method in rest.METHODS
    ]

    assert len(calls) > 150
    assert [call for call in calls if call not in text] == []


def test_payloads__every_schema_that_the_code_stores__is_on_a_page_or_named_as_inside() -> None:
    written = [
        f"{path.relative_to(ROOT).with_suffix('').as_posix().replace('/', '.')}.{name}"
        for app in OURS
        for path in (ROOT / app).rglob("*.py")
        if "Schema(" in (text := path.read_text("utf-8"))
        for names in re.findall(r"^([A-Z_, ]+?)(?:: Schema\[.*\])? = \w*Schema\(", text, re.MULTILINE)
        for name in names.split(", ")
    ]

    listed = [one.schema for one in payloads.PAYLOADS] + list(payloads.INSIDE)

    assert sorted(written) == sorted(listed)
    assert all(isinstance(import_string(name), Schema) for name in listed)


@pytest.mark.slow
def test_payloads__a_record__is_a_table_of_its_fields_with_their_meaning() -> None:
    text = payloads.pages()["reference/payloads/analysis.md"]

    assert "| `low` | number | yes | lower limit of the interval. |" in text
    assert "| yes | Low |" not in text
    assert "not computable" in text


def test_glossary__in_korean__has_the_words_of_the_site() -> None:
    pages = terms.pages()

    assert "### AHA moment { #aha-moment }" in pages["reference/glossary.md"]
    assert "### 아하 모먼트 { #aha-moment }" in pages["reference/glossary.ko.md"]


def test_metric_lines__in_korean__are_said_in_korean() -> None:
    assert "| `on_day:7` | Retained: active on day 7. |" in metric_forms.pages()["reference/metrics.md"]
    assert "| `on_day:7` | 잔존: 7일차에 활동. |" in metric_forms.pages()["reference/metrics.ko.md"]


def test_picture__its_figures__are_those_of_the_proof_and_of_the_words_beside_it() -> None:
    found = promise_picture.figures((ROOT / "docs" / "verdicts.md").read_text("utf-8"))
    said = ", ".join(f"{row['promised']:+.1f}" for row in found.values())

    picture = promise_picture.pictures(ROOT)["reference/pictures/promise.ko.svg"]
    korean = (ROOT / "docs" / "index.ko.md").read_text("utf-8")

    assert list(found) == list(promise_picture.WORLDS)
    assert f"기대한 값은 {said}%p" in korean
    assert all(f">{row['found']:+.1f}</text>" in picture for row in found.values())


@pytest.mark.parametrize(
    ("heading", "version"), [("## Unreleased (0.4)", "0.4-dev"), ("## 0.4.0\n\n## 0.3.0", "0.4.0")]
)
def test_version__of_a_changelog__is_its_first_heading(heading: str, version: str) -> None:
    assert afterwards.version_of(f"# Changelog\n\nText.\n\n{heading}\n") == version


def test_versions__a_release_and_what_comes_after_it__begin_with_the_release(tmp_path: Path) -> None:
    for name in ("0.4.0", "0.10.0", "0.11-dev"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").touch()
        (tmp_path / name / "llms.txt").write_text("- [A](a.md): b", encoding="utf-8")
        (tmp_path / name / "llms-full.txt").touch()

    afterwards._versions(tmp_path, "0.11-dev")

    assert (tmp_path / "versions.json").read_text("utf-8") == '["0.11-dev", "0.10.0", "0.4.0"]\n'
    assert "url=0.10.0/index.html" in (tmp_path / "index.html").read_text("utf-8")
    assert (tmp_path / "llms.txt").read_text("utf-8") == "- [A](0.10.0/a.md): b"
