"""A page of the site as it stands in a file: what stays letter by letter, what is off, what goes."""

import pytest

from insight_site.demo.static_html import POLICY, Frame, as_file, links, with_loads
from insight_site.demo.static_pages import MOST_PAGES, file_of, page_of, picture_of

SHOWN_POLICY = POLICY.replace("'", "&#x27;")
FRAME = Frame(style="s.css", banner="<aside>B</aside>", languages="<nav>L</nav>", off="off", missing="gone")


def copied(text: str) -> str:
    return as_file(text, FRAME, {"/in/": "in.html", "/static/a.js": "a.js", "/static/copy.js": "copy.js"}.get)


@pytest.mark.parametrize(
    "text",
    [
        '<p class="a">One &amp; <b>two</b></p><svg viewBox="0 0 1 1"><path d="M0"/></svg><!-- c -->',
        '<button type="button" popovertarget="n">?</button><span popover id="n">Note</span>',
        '<button type="button" data-copy="#key">Copy</button>',
        '<a href="#part">Part</a><a href="https://example.com/">Elsewhere</a>',
        "<p>여러 줄\n둘째 줄</p>",
    ],
)
def test_copy__what_needs_no_server__stays_letter_by_letter(text: str) -> None:
    assert copied(text) == text


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('<a href="/in/">In</a>', '<a href="in.html">In</a>'),
        (
            '<a href="/out/" class="button" download>Out</a>',
            '<a class="button" role="link" aria-disabled="true" title="gone">Out</a>',
        ),
        (
            '<form method="post" action="/do/" hx-post="/do/"><input type="hidden" name="csrf" value="x">'
            '<input name="a"><button type="submit">Go</button></form>',
            '<form><input name="a" disabled title="off"><button type="submit" disabled title="off">Go</button></form>',
        ),
        (
            "<select><option>ann</option><option selected>bob</option><option>eve</option></select>",
            '<select disabled title="off"><option>ann</option><option selected>bob</option></select>',
        ),
        (
            "<select><option>all</option><option>eve</option></select>",
            '<select disabled title="off"><option>all</option></select>',
        ),
        ('<datalist id="d"><option value="eve"></datalist>x', "x"),
        ('<form class="language" method="post"><button name="language">한국어</button></form>', "<nav>L</nav>"),
        ('<div class="drop" id="personal" popover><div>ann</div></div><p>x</p>', "<p>x</p>"),
        (
            '<script src="/static/a.js" defer></script><script src="/static/copy.js"></script>',
            '<script src="copy.js"></script>',
        ),
        ('<main id="main">', '<aside>B</aside><main id="main">'),
        ('<p hx-get="/x/" hx-trigger="every 2s" id="p">now</p>', '<p id="p">now</p>'),
        (
            "<head><title>T</title></head>",
            f'<head><meta http-equiv="Content-Security-Policy" content="{SHOWN_POLICY}"><title>T</title>'
            '<link rel="stylesheet" href="s.css"></head>',
        ),
    ],
)  # fmt: skip
def test_copy__what_only_a_server_answers__is_off_or_gone(text: str, made: str) -> None:
    assert copied(text) == made


def test_loads__of_a_page__stand_in_their_places_with_their_own() -> None:
    parts = {
        "/a/": '<i hx-get="/b/" hx-trigger="load" hx-swap="outerHTML"><i>old</i></i>',
        "/b/": "<b>new</b>",
        "/no/": None,
    }
    text = (
        '<div id="a" hx-get="/a/" hx-trigger="load, every 5s"><div>old</div></div>'
        '<div hx-get="/no/" hx-trigger="load">stays</div><div hx-get="/later/" hx-trigger="load delay:1s">waits</div>'
    )

    made = with_loads(text, parts.__getitem__)

    assert made == (
        '<div id="a"><b>new</b></div><div hx-get="/no/" hx-trigger="load">stays</div>'
        '<div hx-get="/later/" hx-trigger="load delay:1s">waits</div>'
    )


def test_links__of_a_page__are_read_without_their_entities() -> None:
    assert links('<a href="/a/?x=1&amp;y=2">a</a><link href="/s.css"><a>none</a>') == ["/a/?x=1&y=2"]


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/", "index.html"),
        ("/aha/studies/1/", "aha/studies/1/index.html"),
        ("/aha/studies/1/?tab=method", "aha/studies/1/tab-method.html"),
        ("/experiments/-/calibration/", "experiments/-/calibration/index.html"),
        ("/data/event/?name=order+done", "data/event/name-order-done-265eada2.html"),
    ],
)
def test_places__of_pages__are_plain_names(address: str, file: str) -> None:
    assert page_of(address) == address
    assert file_of(address) == file


@pytest.mark.parametrize(
    "address",
    ["/account/", "/admin/", "/api/v1/studies", "/aha/studies/?q=x", "/aha/studies/new/", "/nowhere/", "/login/"],
)
def test_places__of_what_is_left_out__are_none(address: str) -> None:
    assert page_of(address) is None


def test_places__of_two_events__differ_although_their_letters_are_gone() -> None:
    assert file_of("/data/event/?name=가입") != file_of("/data/event/?name=탈퇴")
    assert MOST_PAGES <= 300


def test_pictures__as_they_are_shown_and_as_data__are_copied_and_no_png_is_made() -> None:
    def of(kind: str) -> tuple[str, str] | None:
        return picture_of(f"/pictures/aha.Study/1/en/curve.{kind}")

    assert of("csv") == ("pictures/aha.Study/1/en/curve-csv", ".csv")
    assert of("image") == ("pictures/aha.Study/1/en/curve-image", "")
    assert of("png") is None
    assert picture_of("/aha/studies/1/") is None
