"""Reference of the settings, from .env.example with its defaults and comments."""

import re
from collections.abc import Iterator
from pathlib import Path

from tools.docs_site.reference.markdown import code, made_of, table

LINE = re.compile(r"#?([A-Z][A-Z0-9_]+)=(.*)")
SUBJECTS = (  # a name of the paragraph, and the heading above it
    ("SECRET_KEY", "Secrets and addresses"),
    ("HTTPS", "TLS and proxies"),
    ("DATABASE_URL", "Where data lie"),
    ("WORKERS", "Language, time and work"),
    ("EVENT_ID_DAYS", "Events"),
    ("UPLOADS_DIR", "Uploads"),
    ("BACKUP_DIR", "Backups"),
    ("SESSION_DAYS", "Signing in and notices"),
    ("API_KEY_PEPPERS", "Keys, limits and operation"),
)


def pages(root: Path) -> dict[str, str]:
    """One page with every setting."""
    text = (root / ".env.example").read_text("utf-8")
    parts = [
        "# Settings\n",
        made_of("`.env.example`"),
        "Settings come from the environment, or from the file `.env` in the folder of the project. Each has a default, so an empty "
        "`.env` is fine on one machine.\n",
    ]
    for block in paragraphs(text):
        names = {name for named, _ in block for name, _ in named}
        heading = next((words for name, words in SUBJECTS if name in names), "")
        rows = [("<br>".join(map(_line, named)), meaning) for named, meaning in block]
        parts += [f"## {heading}\n" if heading else "", table(("setting = default or example", "meaning"), rows)]
    return {"reference/settings.md": "\n".join(parts)}


def _line(setting: tuple[str, str]) -> str:
    name, default = setting
    return code(f"{name}={default}")


def paragraphs(text: str) -> Iterator[list[tuple[list[tuple[str, str]], str]]]:
    """Name and default of the settings below a comment, and the comment; one list per paragraph."""
    for paragraph in re.split(r"\n\s*\n", text):
        rows: list[tuple[list[tuple[str, str]], str]] = []
        comment: list[str] = []
        for line in paragraph.splitlines():
            if found := LINE.fullmatch(line.strip()):
                if comment or not rows:
                    rows.append(([], " ".join(comment)))
                    comment = []
                rows[-1][0].append((found[1], found[2]))
            elif line.startswith("#"):
                comment.append(line.lstrip("# "))
        if rows:
            yield rows
