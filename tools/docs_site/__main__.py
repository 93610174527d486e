"""Build the documentation: `make docs`, or `python -m tools.docs_site` once .venv-docs exists.

The pages of docs/ and those generated from the code are written to var/docs/source. From them MkDocs builds
var/docs/site/VERSION in both languages. Then the Markdown of each page and the indexes for language models and search
are added, and every link is checked.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "var" / "docs"
SOURCE, SITE = FOLDER / "source", FOLDER / "site"
MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"


def main() -> int:
    """Build and check; the exit status is 1 if a link is broken."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    django.setup()
    # Imported after Django is set up, since pages generated from the code load models.
    from tools.docs_site import afterwards, links, notebooks, sources  # noqa: PLC0415

    shutil.rmtree(SOURCE, ignore_errors=True)
    sources.write_sources(ROOT, SOURCE)
    notebooks.write_notebooks(ROOT, SOURCE)
    version = afterwards.version_of((ROOT / "CHANGELOG.md").read_text("utf-8"))
    built = SITE / version
    shutil.rmtree(built, ignore_errors=True)
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(
        [MKDOCS, "build", "--strict", "--quiet", "--config-file", ROOT / "mkdocs.yml", "--site-dir", built],
        check=False,
        env=quiet,
    )
    if done.returncode:
        return done.returncode
    afterwards.finish(SOURCE, SITE, version)
    wrong = links.wrong_links(built)
    for line in wrong:
        print(f"docs: {line}", file=sys.stderr)
    pages = sum(1 for _ in built.rglob("*.html"))
    print(f"docs: {SITE / 'index.html'} ({pages} pages, {len(wrong)} broken links)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
