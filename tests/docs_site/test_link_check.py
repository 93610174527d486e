"""The check of the built pages finds what it is there for."""

from pathlib import Path

import pytest

from tools.docs_site.links import wrong_links

SOUND = '<html><body><h1 id="top">A</h1><a href="#top">up</a><a href="other.html#b">b</a><a href="https://example.com">x</a>'


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("", []),
        ('<a href="gone.html">x</a>', ["page.html: no such file gone.html"]),
        ('<a href="other.html#gone">x</a>', ["page.html: no such anchor other.html#gone"]),
        ('<a href="#gone">x</a>', ["page.html: no such anchor #gone"]),
        (
            '<script src="https://example.com/a.js"></script>',
            ["page.html: fetches from elsewhere https://example.com/a.js"],
        ),
        (
            '<link rel="stylesheet" href="//example.com/a.css">',
            ["page.html: fetches from elsewhere //example.com/a.css"],
        ),
        ('<img src="gone.png" alt="">', ["page.html: no such file gone.png"]),
        ('<img src="data:image/png;base64,AA" alt="">', []),
    ],
)
def test_links__of_a_page__are_tried(tmp_path: Path, added: str, said: list[str]) -> None:
    (tmp_path / "other.html").write_text('<p id="b">B</p>', encoding="utf-8")
    (tmp_path / "page.html").write_text(SOUND + added, encoding="utf-8")

    assert wrong_links(tmp_path) == said
