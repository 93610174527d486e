"""Pages of the documentation that are made of the code, so that they say what it does."""

from pathlib import Path

from tools.docs_site.reference import commands, metric_forms, payloads, promise_picture, rest, settings_page, terms


def all_reference_pages(root: Path) -> dict[str, str]:
    """Place in the site and text of every page and picture that is made of the code; Django must be ready."""
    return {
        **commands.pages(),
        **settings_page.pages(root),
        **rest.pages(root),
        **metric_forms.pages(),
        **payloads.pages(),
        **terms.pages(),
        **promise_picture.pictures(root),
    }
