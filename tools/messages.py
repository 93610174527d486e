"""Update locale/ko with the strings of the code: `make messages`. Needs only Babel, no gettext program.

`pybabel` knows Python files but not Django's template tags, so templates go through Django's own `templatize` first.
"""

import ast
import re
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("insight_site", "launches", "experiments", "aha", "segments", "events", "runs", "reporting")
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "gettext": None,
    "say": None,
    "later": None,
    "Refused": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "_": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
}
KOREAN = ROOT / "locale" / "ko" / "LC_MESSAGES" / "django.po"
NOISE = tuple(
    f'"{name}' for name in ("Report-Msgid", "POT-Creation", "PO-Revision", "Last-Trans", "Language-Team", "Generated")
)
# What templatize writes for a translated tag: a call between spaces.
TEMPLATE_CALL = re.compile(r" (?:_|gettext|ngettext)\(((?:u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\")(?:, ?.*?)?)\) ")

COUNT = re.compile(r"(?<=['\"]), count")  # the number of a plural form, which follows its two texts


def extracted() -> Catalog:
    """All translatable strings, with the files that contain them."""
    catalog = Catalog(project="insight", charset="utf-8")
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            source = BytesIO(path.read_bytes())
            for line, message, comments, _ in extract(
                "python", source, keywords=KEYWORDS, comment_tags=("Translators:",)
            ):
                catalog.add(message, locations=[(_relative(path), line)], auto_comments=comments)
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for call in TEMPLATE_CALL.finditer(templatize(path.read_text(encoding="utf-8"), origin=str(path))):
            arguments = ast.literal_eval(f"({COUNT.split(call.group(1))[0]},)")
            catalog.add(arguments[0] if len(arguments) == 1 else arguments[:2], locations=[(_relative(path), 1)])
    return catalog


def korean() -> Catalog:
    """The current Korean catalogue."""
    with KOREAN.open("rb") as file:
        return read_po(file, locale="ko")


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def main() -> None:
    """Add new strings untranslated, remove obsolete ones, keep every translation; nothing is guessed or fuzzy."""
    catalog = korean()
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    text = BytesIO()
    write_po(text, catalog, width=120, sort_output=True, include_lineno=False)
    # Dates and names in the header would make every run a change.
    lines = [line for line in text.getvalue().decode().splitlines() if not line.startswith(NOISE)]
    KOREAN.write_text("\n".join(lines).strip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
