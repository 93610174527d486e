"""Notebooks as pages: text, code, and each kind of output that is stored."""

import json
from pathlib import Path

from tools.docs_site.notebooks import write_notebooks

CELLS = [
    {"cell_type": "markdown", "source": ["# Title\n", "\n", "Text."]},
    {
        "cell_type": "code",
        "source": ["chart()"],
        "outputs": [
            {"output_type": "stream", "text": ["said\n"]},
            {"output_type": "execute_result", "data": {"text/plain": ["<Chart>"], "image/svg+xml": ["<svg/>"]}},
            {"output_type": "execute_result", "data": {"text/plain": ["a"], "text/html": ["<table></table>"]}},
        ],
    },
]


def test_notebook__with_each_kind_of_output__becomes_a_page(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "notebooks"
    folder.mkdir(parents=True)
    (folder / "one.ipynb").write_text(json.dumps({"cells": CELLS}), encoding="utf-8")

    write_notebooks(tmp_path, tmp_path / "source")

    written = tmp_path / "source" / "notebooks"
    assert (written / "one.md").read_text("utf-8") == (
        "# Title\n\nText.\n\n```python\nchart()\n```\n\n```text\nsaid\n```\n\n"
        "![Chart that the lines above draw](one-3.svg)\n\n"
        '<div class="output">\n<table></table>\n</div>\n'
    )
    assert (written / "one-3.svg").read_text("utf-8") == "<svg/>"
