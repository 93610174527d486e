"""Check pages, names, terms and licences against the code: `python -m tools.check`, part of `make lint`.

One pass over everything, one line per finding; the exit status is 1 if there is one. Statements of pages that become
wrong unnoticed (a moved file, a removed option, a licence that forbids selling) are checked here and not in the tests,
which are about the product's behaviour.
"""

import os
import sys
from collections.abc import Callable, Iterable
from itertools import chain

import django

from tools import stale_pages


def main() -> int:
    """Print all findings; returns the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    django.setup()
    # Imported after Django is set up, since the glossary and the commands load models.
    from tools.check import korean, pages, sources, words  # noqa: PLC0415

    checks: tuple[Callable[[], Iterable[str]], ...]
    checks = (*pages.CHECKS, *korean.CHECKS, *words.CHECKS, *sources.CHECKS, *stale_pages.CHECKS)
    found = sorted(set(chain.from_iterable(check() for check in checks)))
    for line in found:
        print(f"check: {line}")
    print(f"check: {len(checks)} checks of pages, words, sources and licences, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
