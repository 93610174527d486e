"""Write the notebooks of docs/notebooks as pages, with their stored output: nothing is executed here."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PICTURE = "image/svg+xml"


def write_notebooks(root: Path, target: Path) -> None:
    """Write each notebook as a page, with its pictures, into the folder of sources."""
    for notebook in sorted((root / "docs" / "notebooks").glob("*.ipynb")):
        page = target / "notebooks" / f"{notebook.stem}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        parts: list[str] = []
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
            text = "".join(cell["source"]).strip()
            parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
            for output in cell.get("outputs", ()):
                parts += _shown(output, page, f"{notebook.stem}-{len(parts)}.svg")
        page.write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


def _shown(output: dict[str, Any], page: Path, picture: str) -> Iterator[str]:
    """An output as Markdown: the picture, else the table, else the text."""
    data = output.get("data", {})
    if PICTURE in data:
        (page.parent / picture).write_text("".join(data[PICTURE]), encoding="utf-8")
        yield f"![Chart that the lines above draw]({picture})"
    elif "text/html" in data:
        yield f'<div class="output">\n{"".join(data["text/html"]).strip()}\n</div>'
    elif text := "".join(output.get("text", ()) or data.get("text/plain", ())).strip():
        yield f"```text\n{text}\n```"
