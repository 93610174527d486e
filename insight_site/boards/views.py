"""Pages of boards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from aha.explore import saved
from aha.models import AhaMoment, Finding, SavedView
from experiments.models import Experiment
from experiments.report.names import metric_words
from insight_site.boards import board_services
from insight_site.boards.cards import asked_of, cards_of
from insight_site.models import Board, BoardCard
from launches.models import GrowthForecast
from runs.models import Run
from runs.refusals import Refused
from runs.web import may, person

MOST_OFFERED = 200  # of each kind
MOST_BEHAVIOURS = 8  # that a card lists
READS_GROWTH = "launches.view_growthforecast"
PIN_SECONDS = 365 * 24 * 3600


@login_required
@require_safe
def board_list(request: HttpRequest) -> HttpResponse:
    """The team's boards and the own ones."""
    user = request.user
    rows = [{"board": board, "mine": board.owner == user} for board in board_services.visible_to(user)]
    return render(request, "boards/list.html", {"rows": rows, "pinned": board_services.pinned(user)})


@login_required
@may("insight_site.add_board")
@require_POST
def new_board(request: HttpRequest) -> HttpResponse:
    """Make a board."""
    try:
        board = board_services.make_board(
            name=request.POST.get("name", ""), team=bool(request.POST.get("team")), by=person(request)
        )
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("boards:list")
    return redirect("boards:page", board.pk)


@login_required
@require_safe
def board_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One board with its cards."""
    board, user = _board(request, pk), request.user
    fills = board_services.may_fill(board, user)
    pinned = board_services.pinned(user)
    context = {
        "board": board,
        "cards": cards_of(board),
        "fills": fills,
        "owns": board_services.owns(board, user) and user.has_perm(board_services.CHANGE),
        "pinned": pinned is not None and pinned.pk == board.pk,
        "offered": _offered(board) if fills else [],
    }
    return render(request, "boards/page.html", context)


def _offered(board: Board) -> list[dict[str, Any]]:
    """What isn't on the board yet, by kind."""
    there = {
        name: set(board.cards.exclude(**{name: None}).values_list(name, flat=True)) for name in board_services.KINDS
    }
    rows: dict[str, Any] = {
        "view": (gettext("Saved views"), SavedView.objects.filter(archived_at=None)),
        "moment": (gettext("AHA moments"), AhaMoment.objects.light().filter(archived_at=None)),
        "experiment": (
            gettext("Experiments"),
            Experiment.objects.select_related("moment")
            .defer("moment__evidence")
            .exclude(status=Experiment.Status.ARCHIVED)
            .order_by("-pk"),
        ),
    }
    return [
        {
            "label": label,
            "things": [
                (f"{kind}:{row.pk}", row.title if kind == "experiment" else str(row))
                for row in some.exclude(pk__in=there[kind])[:MOST_OFFERED]
            ],
        }
        for kind, (label, some) in rows.items()
    ] + [
        {"label": gettext("Map of causes"), "things": _maps(board)},
        {"label": gettext("Growth"), "things": _growth(board)},
    ]


def _growth(board: Board) -> list[tuple[str, str]]:
    """The growth forecast, where it isn't on the board yet."""
    if board.cards.filter(growth=True).exists():
        return []
    return [(f"{board_services.GROWTH}:", gettext("Growth forecast"))]


def _maps(board: Board) -> list[tuple[str, str]]:
    """Maps that aren't on the board yet: of the outcome that most experiments share, and of each one."""
    there = set(board.cards.exclude(causes_of="").values_list("causes_of", flat=True))
    outcomes = sorted(set(Finding.objects.values_list("outcome", flat=True)))[:MOST_OFFERED]
    offered = {BoardCard.USUAL: gettext("of the outcome that most experiments share")}
    offered |= {outcome: metric_words(outcome) for outcome in outcomes}
    return [(f"{board_services.MAP}:{of}", words) for of, words in offered.items() if of not in there]


@login_required
@require_safe
def card_answer(request: HttpRequest, pk: int, card: int) -> HttpResponse:
    """The answer of a saved view, a map or the growth forecast on its card, or that it is still being counted."""
    board = _board(request, pk)
    row = get_object_or_404(board.cards.select_related("view").exclude(view=None, causes_of="", growth=False), pk=card)
    if row.growth:
        return render(request, "boards/growth.html", _growth_shown(may_read=request.user.has_perm(READS_GROWTH)))
    if row.view is None:
        return render(request, "boards/map.html", _map_shown(asked_of(row)))
    return render(request, "boards/answer.html", {"board": board, "row": row, "shown": saved.glance(row.view)})


def _growth_shown(*, may_read: bool) -> dict[str, Any]:
    """What the newest forecast of growth says; or why there is none."""
    from launches.growth.model import GROWTH, GrowthReport  # loads SciPy and Altair
    from launches.growth.report import headline, tested_words

    if not may_read:
        return {"why": gettext("Your role may not read forecasts of growth.")}
    run = GrowthForecast.objects.filter(status=Run.Status.DONE).first()
    report = None if run is None else GROWTH.of(run)
    if run is None or not isinstance(report, GrowthReport):
        return {"why": gettext("No forecast yet.")}
    return {"headline": headline(report), "tested": tested_words(report), "counted_at": run.as_of or run.finished_at}


def _map_shown(outcome: str | None) -> dict[str, Any]:
    """What a map of causes says, as short as a card is; or why there is none."""
    from experiments.analyse.across.site_map import site_map  # loads SciPy and Altair
    from experiments.report.causes_map import agreement_sentence
    from experiments.report.causes_map_page import finding, short_rows

    try:
        found = site_map(outcome=outcome)
    except Refused as refusal:
        return {"why": refusal.sentence}
    rows = short_rows(found)
    return {
        "finding": finding(found),
        "agreement": agreement_sentence(found),
        "rows": rows[:MOST_BEHAVIOURS],
        "more": max(len(rows) - MOST_BEHAVIOURS, 0),
    }


@login_required
@may("insight_site.change_board")
@require_POST
def change_board(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename a board, and show it to the team or not."""
    board = _board(request, pk)
    with _told(request):
        board_services.change_board(
            board=board, name=request.POST.get("name", ""), team=bool(request.POST.get("team")), by=request.user
        )
    return redirect("boards:page", pk)


@login_required
@may("insight_site.delete_board")
@require_POST
def delete_board(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a board."""
    board = _board(request, pk)
    try:
        board_services.delete_board(board=board, by=request.user)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("boards:page", pk)
    messages.success(request, gettext("“%(name)s” is deleted.") % {"name": board.name})
    return redirect("boards:list")


@login_required
@may("insight_site.change_board")
@require_POST
def add_card(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a card on a board."""
    kind, _, what = request.POST.get("card", "").partition(":")
    number = int(what) if what.isdecimal() else 0
    with _told(request):
        board_services.add_card(board=_board(request, pk), kind=kind, pk=number, causes_of=what, by=request.user)
    return redirect("boards:page", pk)


@login_required
@may("insight_site.change_board")
@require_POST
def change_card(request: HttpRequest, pk: int, card: int) -> HttpResponse:
    """Move a card up or down, or take it off the board."""
    board, do = _board(request, pk), request.POST.get("do", "")
    with _told(request):
        if do == "remove":
            board_services.remove_card(board=board, card=card, by=request.user)
        elif do in ("up", "down"):
            board_services.move_card(board=board, card=card, up=do == "up", by=request.user)
    return redirect(f"{board_url(board)}#card-{card}")


@login_required
@require_POST
def pin_board(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a board on one's first page, or no longer."""
    board, user = _board(request, pk), person(request)
    if user is not None:
        board_services.pin(user=user, board=board if request.POST.get("on") else None)
    response = redirect("boards:page", pk)
    if request.POST.get("on"):
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(
            board_services.PIN_COOKIE, "1", max_age=PIN_SECONDS, secure=secure, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(board_services.PIN_COOKIE, samesite="Lax")
    return response


def board_url(board: Board) -> str:
    """The address of a board."""
    return reverse("boards:page", args=[board.pk])


def _board(request: HttpRequest, pk: int) -> Board:
    return get_object_or_404(board_services.visible_to(request.user), pk=pk)


@contextmanager
def _told(request: HttpRequest) -> Iterator[None]:
    """A refusal inside becomes a message of the next page."""
    try:
        yield
    except Refused as refusal:
        messages.error(request, refusal.sentence)
