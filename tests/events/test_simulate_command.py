"""The `simulate` command: its three files, its JSON document and its refusals."""

import json
from io import StringIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from events.management.commands.simulate import Command

FILES = {"events.parquet", "users.parquet", "truth.json"}


def test_simulate_command__json__prints_one_document_and_writes_three_files(tmp_path: Path) -> None:
    out, err = StringIO(), StringIO()
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")

    call_command("simulate", tmp_path, "--world", "forced", "--units", "200", "--json", stdout=out, stderr=err)

    document = json.loads(out.getvalue())
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"mine.txt"}
    assert set(document["files"]) == FILES
    assert (document["world"], document["users"], document["seed"], document["exposed"]) == ("forced", 200, 1, 200)
    events = pq.read_table(document["files"]["events.parquet"])
    assert events.num_rows == document["events"]
    assert events.column_names == ["user_id", "event", "time", "properties", "message_id"]
    assert str(events.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert pq.read_table(tmp_path / "users.parquet").num_rows == 200
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert truth["parameters_hash"] == document["parameters_hash"]
    assert err.getvalue().count("Wrote") == 3


def test_simulate_command__assign_by_guild__gives_whole_guilds_one_arm(tmp_path: Path) -> None:
    call_command(
        "simulate", tmp_path, world="spillover", units=400, assign_by="guild", stdout=StringIO(), stderr=StringIO()
    )

    users = pq.read_table(tmp_path / "users.parquet").to_pandas()
    assert (users.groupby("guild").arm.nunique() == 1).all()
    assert users.arm.nunique() == 2


@pytest.mark.slow
def test_simulate_command__without_json__prints_the_counts(tmp_path: Path) -> None:
    out = StringIO()

    call_command("simulate", tmp_path / "new", world="noise", stdout=out, stderr=StringIO())

    lines = dict(line.split() for line in out.getvalue().splitlines())
    assert (lines["world"], lines["users"]) == ("noise", "2000")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--world", "nope"], "there is no world nope"),
        (["--units", "0"], "--units must lie between 1 and 1000000, not 0."),
        (["--units", "1000001"], "--units must lie between 1 and 1000000, not 1000001."),
        (["--units", "many"], "invalid int value: 'many'"),
        (["--seed", "-1"], "--seed must lie between 0"),
        (["--assign-by", "city"], "invalid choice: 'city'"),
    ],
)
def test_simulate_command__bad_option__exits_2_with_a_sentence_and_writes_nothing(
    options: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        Command().run_from_argv(["manage.py", "simulate", str(tmp_path / "out"), *options])

    assert exit_.value.code == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("place", "sentence"), [("file", "is not a folder"), ("file/below", "can't be written")])
def test_simulate_command__out_dir_is_no_folder__exits_2(
    place: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("keep", encoding="utf-8")

    with pytest.raises(SystemExit) as exit_:
        Command().run_from_argv(["manage.py", "simulate", str(tmp_path / place), "--units", "5"])

    assert exit_.value.code == 2
    assert sentence in capsys.readouterr().err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "keep"
