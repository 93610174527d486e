"""The version has one home: the first heading of the changelog."""

from pathlib import Path

import pytest

import insight_site
from tools.docs_site.afterwards import version_of

CHANGELOG = Path(insight_site.__file__).parent.parent / "CHANGELOG.md"


@pytest.mark.once
def test_version__one_that_is_being_made__is_said_of_the_software_too() -> None:
    said = version_of(CHANGELOG.read_text("utf-8"))

    assert insight_site.__version__ == (f"{said.removesuffix('-dev')}.0.dev0" if said.endswith("-dev") else said)
