"""Make and change boards: who sees one, who changes it, its cards and their order, and which one is on a first page."""

from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext

from aha.models import AhaMoment, SavedView
from events.metrics import parse_metric
from experiments.models import Experiment
from insight_site.models import Board, BoardCard, Preference
from runs.refusals import Refused

PIN_COOKIE = "board"  # set where a board is pinned, so that other first pages ask for none
MOST_CARDS = 12
LONGEST_NAME = 120
KINDS: dict[str, Any] = {"view": SavedView, "moment": AhaMoment, "experiment": Experiment}
MAP = "map"  # the map of causes, which is no row
GROWTH = "growth"  # the newest forecast of growth, whichever that is
CHANGE = "insight_site.change_board"


def visible_to(user: User | AnonymousUser) -> QuerySet[Board]:
    """The boards that a person may open: those of the team, and the own."""
    return Board.objects.filter(Q(team=True) | Q(owner=user)).select_related("owner")


def owns(board: Board, user: User | AnonymousUser) -> bool:
    """Whether a person may rename, share and delete a board: its owner, and superusers."""
    return user.is_superuser or (board.owner is not None and board.owner == user)


def may_fill(board: Board, user: User | AnonymousUser) -> bool:
    """Whether a person may put cards on a board: the owner, and on the team's whoever may change boards."""
    return user.has_perm(CHANGE) and (owns(board, user) or board.team)


def make_board(*, name: str, team: bool, by: User | None) -> Board:
    """Make an empty board.

    Raises:
        Refused: without a name.
    """
    return Board.objects.create(name=_name(name), team=team, owner=by)


def change_board(*, board: Board, name: str, team: bool, by: User | AnonymousUser) -> Board:
    """Rename a board, and show it to the team or not.

    Raises:
        Refused: it belongs to somebody else, or without a name.
    """
    _refuse_others(board, by)
    board.name, board.team = _name(name), team
    board.save(update_fields=["name", "team"])
    return board


def delete_board(*, board: Board, by: User | AnonymousUser) -> None:
    """Delete a board with its cards; what the cards showed stays.

    Raises:
        Refused: it belongs to somebody else.
    """
    _refuse_others(board, by)
    board.delete()


def add_card(*, board: Board, kind: str, pk: int = 0, causes_of: str = "", by: User | AnonymousUser) -> BoardCard:
    """Put a saved view, a moment, an experiment, a map of causes or the growth forecast at the end of a board.

    Args:
        board: it.
        kind: one of `KINDS`, `MAP` or `GROWTH`.
        pk: of the thing; 0 for a map and for growth.
        causes_of: outcome of a map: metric text, or `BoardCard.USUAL`.
        by: who does it.

    Raises:
        Refused: not allowed, no such thing, it is there already, or the board is full.
    """
    _refuse_filling(board, by)
    shows, name = _shown(kind, pk, causes_of)
    with transaction.atomic():
        Board.objects.select_for_update().get(pk=board.pk)
        if board.cards.filter(**shows).exists():
            raise Refused("“{name}” is on this board already.", name=name)
        if board.cards.count() >= MOST_CARDS:
            raise Refused("A board has at most {most} cards.", most=MOST_CARDS)
        last = board.cards.aggregate(last=Max("position"))["last"]
        return BoardCard.objects.create(board=board, position=0 if last is None else last + 1, **shows)


def _shown(kind: str, pk: int, causes_of: str) -> tuple[dict[str, Any], str]:
    """Column and value of what a card shows, and its name."""
    if kind == MAP:
        outcome = causes_of if causes_of == BoardCard.USUAL else str(parse_metric(causes_of.replace("\x00", "")))
        return {"causes_of": outcome}, gettext("Map of causes")
    if kind == GROWTH:
        return {"growth": True}, gettext("Growth forecast")
    thing = KINDS[kind].objects.filter(pk=pk).first() if kind in KINDS else None
    if thing is None:
        raise Refused("There is no such thing any more.")
    return {kind: thing}, str(thing)


def move_card(*, board: Board, card: int, up: bool, by: User | AnonymousUser) -> None:
    """Move a card one place up or down; the first and the last stay.

    Raises:
        Refused: not allowed.
    """
    _refuse_filling(board, by)
    with transaction.atomic():
        Board.objects.select_for_update().get(pk=board.pk)
        order = list(board.cards.all())
        places = {row.pk: place for place, row in enumerate(order)}
        at = places.get(card)
        to = None if at is None else at + (-1 if up else 1)
        if at is not None and to is not None and 0 <= to < len(order):
            order[at], order[to] = order[to], order[at]
        for place, row in enumerate(order):
            if row.position != place:
                row.position = place
                row.save(update_fields=["position"])


def remove_card(*, board: Board, card: int, by: User | AnonymousUser) -> None:
    """Take a card off a board.

    Raises:
        Refused: not allowed.
    """
    _refuse_filling(board, by)
    board.cards.filter(pk=card).delete()


def pin(*, user: User, board: Board | None) -> None:
    """Show a board on a person's first page, in the place of another; None shows none."""
    Preference.objects.update_or_create(user=user, defaults={"board": board})


def pinned(user: User | AnonymousUser) -> Board | None:
    """The board on a person's first page, as long as they may open it."""
    if not isinstance(user, User):
        return None
    chosen = Preference.objects.filter(user=user).values("board")
    return visible_to(user).filter(pk__in=chosen).first()


def _refuse_others(board: Board, by: User | AnonymousUser) -> None:
    if not owns(board, by):
        raise Refused("“{name}” belongs to somebody else.", name=board.name)


def _refuse_filling(board: Board, by: User | AnonymousUser) -> None:
    if not may_fill(board, by):
        raise Refused("“{name}” belongs to somebody else.", name=board.name)


def _name(typed: str) -> str:
    name = " ".join(typed.replace("\x00", " ").split())[:LONGEST_NAME]
    if not name:
        raise Refused("A board needs a name.", at="name")
    return name
