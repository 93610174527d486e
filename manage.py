#!/usr/bin/env python
"""The door for every command of Insight: `python manage.py NAME --help`."""

import os
import sys
from pathlib import Path

from insight_site.first_start import prepare


def main() -> None:
    """Run the command named on the command line."""
    prepare(Path(__file__).resolve().parent)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
