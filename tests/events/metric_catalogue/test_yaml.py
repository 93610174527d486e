"""The catalogue as YAML: what goes out comes in as the same, and nothing else comes in."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.catalogue import save_metrics, yaml_file
from events.catalogue.yaml_file import Entry, WrongFileError
from events.metrics.facts import LONGEST, About, Facts, checked, checked_about
from events.models import Metric, MetricVersion
from runs.refusals import Refused
from tests.events.metric_catalogue.make import certified, metric

WHOLE = """
metrics:
- key: revenue
  name: {en: Revenue, ko: 매출}
  definition: sum:buy:price:0-6
  cap: 99.9%
  direction: higher
  margin: 0.5
  unit: KRW
  owner: 데이터팀
  description: 첫 주의 결제액
  tags: [money, 핵심]
  status: draft
"""
ONE = "metrics:\n- key: revenue\n  name: Revenue\n  definition: sum:buy:price:0-6\n"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
DEFINITIONS = st.sampled_from(
    ["window:14-20", "count:a\\:b[x=가]:0-6", "capped:99.9%:sum:buy:price:0-6", "sum:a:b:0-6 / active_days:0-6"]
)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    texts = {name: draw(TEXT) for name in LONGEST}
    about = About(**{**texts, "name_en": draw(TEXT.filter(str.strip))}, tags=tuple(draw(st.lists(TEXT, max_size=3))))
    try:
        about = checked_about(about)
    except Refused:
        about = checked_about(About("a"))
    margin = draw(st.none() | st.floats(1e-12, 1e12))
    facts = checked(Facts(draw(DEFINITIONS), "", draw(st.sampled_from(["higher", "lower"])), margin))
    key = draw(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True))
    return Entry(key, about, facts, draw(st.sampled_from(yaml_file.STATES)))


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries(), max_size=4, unique_by=lambda entry: entry.key))
def test_round_trip__every_metric__is_equal_and_in_the_same_order(given_entries: list[Entry]) -> None:
    text = yaml_file.write(given_entries)

    found = yaml_file.read(text.encode(), "metrics.yaml")

    plain = [Entry(one.key, one.about, one.facts, one.status) for one in found]
    assert plain == sorted(given_entries, key=lambda one: one.key)
    assert yaml_file.write(found) == text


def wrong(text: str | bytes) -> list[str]:
    with pytest.raises(WrongFileError) as caught:
        yaml_file.read(text.encode() if isinstance(text, str) else text, "m.yaml")
    return [str(one) for one in caught.value.mistakes]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  colour: red", "m.yaml, line 5, metric revenue, field colour: there is no such field"),
        ("  margin: much", "m.yaml, line 5, metric revenue, field margin: a margin is a number, not 'much'"),
        ("  margin: -1", "m.yaml, line 5, metric revenue, field margin: A margin is a number above 0, not -1.0."),
        ("  cap: many", "m.yaml, line 5, metric revenue, field cap: A cap is a number or a share"),
        ("  tags: money", "m.yaml, line 5, metric revenue, field tags: tags are a list of texts"),
        ("  status: done", "m.yaml, line 5, metric revenue, field status: a status is draft, certified or deprecated"),
        (
            "  status: certified",
            "m.yaml, line 2, metric revenue, field certified: a certified metric says in the field",
        ),
        ("  unit: [a]", "m.yaml, line 5, metric revenue, field unit: it is a single text"),
        ("  key: other", "m.yaml, line 5: the field 'key' stands twice"),
        ("  owner: &a x", "m.yaml, line 5: anchors and aliases"),
        ("  owner: *a", "m.yaml, line 5: "),
        ("  owner: !!python/object/apply:os.system [ls]", "m.yaml, line 5: tags (!) aren't taken"),
        ("  owner: !x y", "m.yaml, line 5: tags (!) aren't taken"),
        ("---\nmetrics: []", "m.yaml, line 5: a file has one document"),
        ("  owner: [[[[[[[[[[a]]]]]]]]]]", "m.yaml, line 5: lists and fields lie deeper than 6 levels"),
        ("  owner: 'a", "m.yaml, line 6: no YAML: "),
        ("- key: revenue\n  name: R\n  definition: on_day:7", "field key: the key stands in line 2 already"),
        ("- key: B\n  name: R\n  definition: on_day:7", "m.yaml, line 5, metric B, field key: a key has small letters"),
        ("- key: b\n  name: R\n  definition: x", "m.yaml, line 7, metric b, field definition: 'x' is no "),
        ("- key: b\n  definition: on_day:7", "metric b, field name: it needs a name"),
        (
            "- key: b\n  name: {de: B}\n  definition: on_day:7",
            "line 6, metric b, field name: a name has the fields en and",
        ),
        ("- b", "m.yaml, line 5: a metric is a list of fields"),
        ("rest: 1", "the file has an unknown field 'rest'"),
    ],
)
def test_read__one_mistake__is_one_sentence_with_file_line_key_and_field(line: str, said: str) -> None:
    (found,) = wrong(ONE + line + "\n")

    assert said in found
    assert "\n" not in found


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"metrics: \x01", b"[]", b"a", b"metrics: {}", b"x" * 1_000_001, b"? [a]\n: b"]
)
def test_read__no_catalogue_at_all__is_one_sentence(data: bytes) -> None:
    assert len(wrong(data)) == 1


def test_read__an_alias_bomb__is_refused_before_it_is_built() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert wrong(bomb) == ["m.yaml, line 1: anchors and aliases (& and *) aren't taken"]
    assert len(wrong("[" * 100_000)) == 1  # libyaml's own limit, or ours


def test_read__all_mistakes__are_said_at_once() -> None:
    assert len(wrong(ONE + "  margin: x\n  colour: red\n- key: b\n")) == 4  # two, and name and definition of b


def test_read__a_file_without_metrics__changes_nothing() -> None:
    assert yaml_file.read(b"", "m.yaml") == yaml_file.read(b"metrics:\n", "m.yaml") == []


# ── The catalogue and its files ───────────────────────────────────────────────
@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    return path


def run(*arguments: object) -> str:
    from io import StringIO

    out = StringIO()
    call_command("metrics", *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


def ended(*arguments: object) -> tuple[int, str]:
    from io import StringIO

    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("metrics", *map(str, arguments), stdout=out, stderr=out)
    return caught.value.returncode, out.getvalue() + str(caught.value)


@pytest.mark.django_db
def test_import__then_export_and_import__is_the_same_and_changes_nothing(file: Path, tmp_path: Path) -> None:
    run("import", file)
    run("export", tmp_path / "out.yaml")

    row = Metric.objects.get()
    assert (row.name_ko, row.owner, row.tag_list, row.current.cap) == ("매출", "데이터팀", ["money", "핵심"], "99.9%")
    assert "매출" in (tmp_path / "out.yaml").read_text(encoding="utf-8")
    assert run("import", tmp_path / "out.yaml", "--check") == "Nothing to change.\n"
    assert run("import", tmp_path / "out.yaml") == "Nothing to change.\n"
    assert row.versions.count() == 1
    assert run("export") == (tmp_path / "out.yaml").read_text(encoding="utf-8")


@pytest.mark.django_db
def test_check__says_what_would_change_with_status_1_and_writes_nothing(file: Path) -> None:
    status, said = ended("import", file, "--check")
    assert (status, Metric.objects.count()) == (1, 0)
    assert said == "revenue: new (metrics.yaml:3)\n1 metric would change."

    run("import", file)
    file.write_text(WHOLE.replace("0-6", "0-13").replace("KRW", "원"), encoding="utf-8")
    status, said = ended("import", file, "--check")

    assert status == 1
    assert "revenue: unit: KRW → 원; definition: sum:buy:price:0-6 → sum:buy:price:0-13 (metrics.yaml:3)" in said
    assert Metric.objects.get().current.definition == "sum:buy:price:0-6"


@pytest.mark.django_db
def test_import__one_mistake_in_a_folder__changes_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ONE, encoding="utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.yml").write_text(ONE.replace("revenue", "b") + "  margin: x\n  cap: y\n", encoding="utf-8")

    status, said = ended("import", tmp_path)

    assert status == 2
    assert "sub/b.yml, line 5, metric b, field margin" in said
    assert Metric.objects.count() == 0


@pytest.mark.django_db
def test_import__a_refusal_in_the_middle__changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = yaml_file.read((ONE + ONE.removeprefix("metrics:\n").replace("revenue", "b")).encode(), "m.yaml")
    real = save_metrics.create_metric

    def second_fails(**fields: object) -> Metric:
        if fields["key"] == "b":
            raise Refused("no")
        return real(**fields)  # type: ignore[arg-type]

    monkeypatch.setattr(save_metrics, "create_metric", second_fails)
    with pytest.raises(Refused):
        save_metrics.import_entries(found)

    assert Metric.objects.count() == MetricVersion.objects.count() == 0


@pytest.mark.django_db
def test_import__the_same_key_in_two_files__is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(ONE, encoding="utf-8")

    assert ended("import", tmp_path) == (2, "b.yaml:2: the metric revenue stands in a.yaml:2, too")


@pytest.mark.django_db
def test_import__a_definition_changed_below_certified__is_a_draft_and_says_nothing_the_second_time(
    tmp_path: Path,
) -> None:
    certified()
    path = tmp_path / "m.yaml"
    run("export", path)
    changed = path.read_text(encoding="utf-8").replace("0-6", "0-13")
    path.write_text(changed, encoding="utf-8")

    said = run("import", path)

    row = Metric.objects.get()
    assert (row.version, row.status) == (2, Metric.Status.DRAFT)
    assert "status: certified → draft" in said
    assert run("import", path, "--check") == "Nothing to change.\n"


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["draft", "certified", "deprecated"])
@pytest.mark.parametrize("before", ["draft", "certified", "deprecated"])
def test_import__each_status_over_each__is_what_the_file_says(before: str, status: str) -> None:
    row = metric()
    if before == "certified":
        save_metrics.certify(key=row.key, version=1)
    if before == "deprecated":
        save_metrics.deprecate(key=row.key)
    found = save_metrics.entry_of(Metric.objects.get())

    save_metrics.import_entries([Entry(found.key, found.about, found.facts, status)])

    row = Metric.objects.get()
    assert (row.status, row.version) == (status, 1)
    was = before == "certified" and status == "deprecated"  # what runs with it may go on saying so
    assert (row.current.certified_at is not None) is (status == "certified" or was)


@pytest.mark.django_db
def test_import__no_file__is_refused(tmp_path: Path) -> None:
    assert ended("import", tmp_path / "none.yaml")[0] == 2
    assert ended("import", tmp_path)[0] == 2
    assert ended("export", tmp_path / "no/such/folder.yaml")[0] == 2
