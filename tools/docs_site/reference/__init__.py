"""Reference pages generated from the code, so that they match what it does."""

from pathlib import Path

from tools.docs_site.reference import commands, metric_forms, payloads, promise_picture, rest, settings_page, terms


def all_reference_pages(root: Path) -> dict[str, str]:
    """Path on the site and content of every generated page and picture; Django must be set up."""
    return {
        **commands.pages(),
        **settings_page.pages(root),
        **rest.pages(root),
        **metric_forms.pages(),
        **payloads.pages(),
        **terms.pages(),
        **promise_picture.pictures(root),
    }
