"""The notebooks of docs/notebooks: what they show is of the code as it is, and names no machine."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import ROOT
from tests.conftest import missing
from tests.experiments.make import do
from tests.experiments.make_locked import two_worlds
from tests.experiments.make_readout import stored
from tests.insight_client.conftest import Ask
from tools import notebooks

PATHS = sorted(notebooks.FOLDER.glob("*.ipynb"))
EACH = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
MACHINE = re.compile(r"/tmp/|/home/|/root/|/work/|127\.0\.0\.1|localhost|site-packages")


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_notebooks__are_three() -> None:
    assert [path.stem for path in PATHS] == ["find_an_aha_moment", "read_an_experiment", "size_a_test"]


@EACH
def test_outputs__stored__are_of_the_code_as_it_is(path: Path) -> None:
    notebook = _read(path)

    assert notebook["metadata"]["insight"]["digest"] == notebooks.digest(notebook), "run python -m tools.notebooks"
    assert [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and cell["outputs"]]


@EACH
def test_outputs__stored__name_no_machine_and_ask_for_nothing_elsewhere(path: Path) -> None:
    text = json.dumps([cell.get("outputs") for cell in _read(path)["cells"]])

    assert MACHINE.findall(text) == []
    assert socket.gethostname() not in text
    assert "<script" not in text
    assert str(ROOT) not in text


@EACH
def test_outputs__stored__are_no_errors_and_draw_as_svg(path: Path) -> None:
    outputs = [one for cell in _read(path)["cells"] for one in cell.get("outputs", [])]

    assert [one for one in outputs if one["output_type"] == "error" or one.get("name") == "stderr"] == []
    assert [one for one in outputs if "image/svg+xml" in one.get("data", {})] != []


def test_digest__another_cell__is_another() -> None:
    notebook = _read(PATHS[0])
    before = notebooks.digest(notebook)

    notebook["cells"][1]["source"] = ["1 + 1"]

    assert notebooks.digest(notebook) != before


@pytest.mark.docs
@pytest.mark.django_db(transaction=True)
def test_read_an_experiment__executed_anew__shows_the_lock_and_the_verdict(ask: Ask, live_server: Any) -> None:
    if not notebooks.DOCS_PYTHON.exists():
        missing(".venv-docs (sh tools/own_venv.sh docs)")
    stored("runs", two_worlds(is_open=False)[0])
    ended = stored("ended", two_worlds(is_open=True)[0])
    do("ended", "stop")
    key = ask()._connection._headers["Authorization"].removeprefix("Bearer ")

    made = notebooks.execute(
        notebooks.FOLDER / "read_an_experiment.ipynb", {"INSIGHT_URL": live_server.url, "INSIGHT_KEY": key}
    )
    done = notebooks.finished(made)

    text = json.dumps(done)
    assert "Results unlock when" in text
    assert ended.verdict in text
    assert "image/svg+xml" in text
