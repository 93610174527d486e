"""Boards: who sees and changes them, their cards in order, and no locked outcome on any card."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from aha.evidence.store_findings import keep_findings
from aha.explore import saved
from aha.explore.question import Question
from aha.models import AhaMoment, Study
from experiments.models import Analysis, Experiment
from insight_site.boards import board_services as boards
from insight_site.boards.cards import cards_of
from insight_site.models import Board
from runs.refusals import Refused
from tests.aha.evidence.past.test_joint_findings import OUTCOME, nudge
from tests.experiments.analyse.test_site_map import keep_lab
from tests.experiments.make import running
from tests.experiments.make_readout import RUNNING, make_readout, make_result, stored

pytestmark = pytest.mark.django_db
SECRET = "sesame"


def person(name: str, role: str = "Analyst") -> User:
    user = User.objects.create_user(name)
    user.groups.set(Group.objects.filter(name=role))
    return user


@pytest.fixture
def ann() -> User:
    return person("ann")


@pytest.fixture
def bob() -> User:
    return person("bob")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def a_view(by: User, name: str = "D7") -> Any:
    return saved.save_view(name=name, question=Question("retention", "signup", retention="on_day:7"), by=by)


def a_moment() -> AhaMoment:
    return AhaMoment.objects.create(
        key="m", name="Friends", behaviour="add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )


def names(board: Board) -> list[str]:
    return [card.title for card in cards_of(board)]


def test_boards__own_ones_are_hidden_from_others_and_the_team_s_are_not(ann: User, bob: User) -> None:
    own, team = (boards.make_board(name=name, team=name == "team", by=ann) for name in ("own", "team"))

    assert list(boards.visible_to(bob)) == [team]
    assert [signed_in(bob).get(f"/boards/{board.pk}/").status_code for board in (own, team)] == [404, 200]
    assert [signed_in(bob).post(f"/boards/{own.pk}/{do}/").status_code for do in ("change", "delete", "pin")] == [
        404
    ] * 3
    assert [boards.may_fill(board, bob) for board in (own, team)] == [False, True]
    assert [boards.owns(board, bob) for board in (own, team)] == [False, False]


def test_team_board__others_fill_it_and_neither_rename_nor_delete_it(ann: User, bob: User) -> None:
    board, view = boards.make_board(name="team", team=True, by=ann), a_view(ann)
    client = signed_in(bob)

    client.post(f"/boards/{board.pk}/cards/", {"card": f"view:{view.pk}"})
    client.post(f"/boards/{board.pk}/change/", {"name": "Mine"})
    client.post(f"/boards/{board.pk}/delete/")

    board.refresh_from_db()
    assert (board.name, board.team, names(board)) == ("team", True, ["D7"])


def test_team_board__for_whom_may_not_change_boards__is_only_shown(ann: User) -> None:
    board = boards.make_board(name="team", team=True, by=ann)
    guest = signed_in(person("guest", "nobody"))

    page = guest.get(f"/boards/{board.pk}/")

    assert b"new-card" not in page.content
    assert guest.post(f"/boards/{board.pk}/cards/", {"card": "view:1"}).status_code == 403
    assert guest.post("/boards/new/", {"name": "x"}).status_code == 403


def test_owner__renames_shares_and_deletes(ann: User, bob: User) -> None:
    board = boards.make_board(name="own", team=False, by=ann)
    client = signed_in(ann)

    client.post(f"/boards/{board.pk}/change/", {"name": "Shared", "team": "1"})
    assert [row.name for row in boards.visible_to(bob)] == ["Shared"]
    client.post(f"/boards/{board.pk}/delete/")

    assert not Board.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "\x00"])
def test_board__without_a_name__is_refused(ann: User, name: str) -> None:
    with pytest.raises(Refused):
        boards.make_board(name=name, team=False, by=ann)


def test_cards__move_up_and_down_and_go(ann: User) -> None:
    board = boards.make_board(name="own", team=False, by=ann)
    first, second, third = (
        boards.add_card(board=board, kind="view", pk=a_view(ann, name).pk, by=ann) for name in "abc"
    )
    client = signed_in(ann)

    def do(card: Any, verb: str) -> list[str]:
        client.post(f"/boards/{board.pk}/cards/{card.pk}/change/", {"do": verb})
        return names(board)

    assert do(first, "up") == ["a", "b", "c"]
    assert do(third, "down") == ["a", "b", "c"]
    assert do(third, "up") == ["a", "c", "b"]
    assert do(first, "down") == ["c", "a", "b"]
    assert do(first, "remove") == ["c", "b"]
    assert do(second, "up") == ["b", "c"]
    assert do(second, "nothing") == ["b", "c"]


def test_cards__of_another_board__can_t_be_moved_through_the_own(ann: User, bob: User) -> None:
    mine, theirs = boards.make_board(name="m", team=False, by=ann), boards.make_board(name="t", team=False, by=bob)
    card = boards.add_card(board=theirs, kind="view", pk=a_view(bob).pk, by=bob)

    signed_in(ann).post(f"/boards/{mine.pk}/cards/{card.pk}/change/", {"do": "remove"})

    assert names(theirs) == ["D7"]
    assert signed_in(ann).get(f"/boards/{mine.pk}/cards/{card.pk}/").status_code == 404


def test_cards__twice_too_many_or_of_nothing__are_refused(ann: User) -> None:
    board, view = boards.make_board(name="own", team=False, by=ann), a_view(ann)
    boards.add_card(board=board, kind="view", pk=view.pk, by=ann)
    for kind, pk in (("view", view.pk), ("view", 0), ("study", 1), ("", 1)):
        with pytest.raises(Refused):
            boards.add_card(board=board, kind=kind, pk=pk, by=ann)
    for place in range(boards.MOST_CARDS - 1):
        boards.add_card(board=board, kind="view", pk=a_view(ann, str(place)).pk, by=ann)
    with pytest.raises(Refused, match="at most 12"):
        boards.add_card(board=board, kind="view", pk=a_view(ann, "more").pk, by=ann)

    signed_in(ann).post(f"/boards/{board.pk}/cards/", {"card": "view:²"})

    assert len(names(board)) == 12


def test_cards__whose_view_is_deleted__go_with_it(ann: User) -> None:
    board, view = boards.make_board(name="own", team=False, by=ann), a_view(ann)
    boards.add_card(board=board, kind="view", pk=view.pk, by=ann)

    saved.delete_view(view=view, by=ann)

    assert names(board) == []


def test_home__shows_the_pinned_board_until_it_may_not_be_seen(ann: User, bob: User) -> None:
    board = boards.make_board(name="Weekly", team=True, by=ann)
    boards.add_card(board=board, kind="moment", pk=a_moment().pk, by=ann)
    client = signed_in(bob)

    client.post(f"/boards/{board.pk}/pin/", {"on": "1"})
    assert boards.pinned(bob) == board
    boards.change_board(board=board, name="Weekly", team=False, by=ann)
    assert boards.pinned(bob) is None
    boards.change_board(board=board, name="Weekly", team=True, by=ann)
    client.post(f"/boards/{board.pk}/pin/")

    assert boards.pinned(bob) is None
    assert boards.pinned(ann) is None


def test_home__of_a_site_with_events__has_the_cards(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    stored("exp")
    board = boards.make_board(name="Weekly", team=False, by=ann)
    boards.add_card(board=board, kind="experiment", pk=Experiment.objects.get().pk, by=ann)
    client = signed_in(ann)
    client.post(f"/boards/{board.pk}/pin/", {"on": "1"})
    monkeypatch.setattr("insight_site.pages.landing.first_day.tasks", lambda *_: ())
    study(ann)

    text = client.get("/").content.decode()
    client.post(f"/boards/{board.pk}/pin/")

    assert "Weekly" in text
    assert 'id="card-' in text
    assert "Weekly" not in client.get("/").content.decode()


def test_login__on_another_machine__takes_the_pinned_board_along(ann: User) -> None:
    board = boards.make_board(name="Weekly", team=False, by=ann)
    boards.pin(user=ann, board=board)
    ann.set_password("Xk29sksl2k")
    ann.save()
    client = Client()

    client.post("/login/", {"username": "ann", "password": "Xk29sksl2k"})

    assert client.cookies["board"].value == "1"


def study(by: User) -> None:
    Study.objects.create(status="done", inputs={"signup_event": "signup", "retention": "on_day:7"}, created_by=by)


STATES: dict[str, Any] = {
    "nothing computed": None,
    "locked": {"readout": make_result(**RUNNING)},
    "peeked": {"readout": make_readout(peek=True, **RUNNING)},
}


@pytest.mark.parametrize("given", STATES.values(), ids=STATES)
def test_card__of_an_experiment_whose_outcome_is_locked__has_no_figure(ann: User, given: Any) -> None:
    if given is None:
        running("exp")
    else:
        row = stored("exp", **given)
        if not given["readout"].maturity.peeked:
            assert not row.figures
    board = boards.make_board(name="own", team=True, by=ann)
    boards.add_card(board=board, kind="experiment", pk=Experiment.objects.get(key="exp").pk, by=ann)

    (card,) = cards_of(board)

    assert card.headline is None
    assert card.counted_at is None
    assert card.line == "No result to show yet."
    assert card.words == Experiment.objects.get(key="exp").get_status_display()


def test_card__of_an_experiment_opened_and_peeked_at_later__has_no_figure(ann: User) -> None:
    stored("exp")
    Analysis.objects.create(
        experiment=Experiment.objects.get(), status="done", peek=True, verdict="CAUSES", figures={SECRET: SECRET}
    )
    board = boards.make_board(name="own", team=True, by=ann)
    boards.add_card(board=board, kind="experiment", pk=Experiment.objects.get().pk, by=ann)

    page = signed_in(ann).get(f"/boards/{board.pk}/").content.decode()

    assert cards_of(board)[0].headline is None
    assert SECRET not in page


def test_card__of_a_finished_experiment__has_its_headline_alone(ann: User) -> None:
    analysis = stored("exp")
    board = boards.make_board(name="own", team=True, by=ann)
    boards.add_card(board=board, kind="experiment", pk=Experiment.objects.get().pk, by=ann)

    (card,) = cards_of(board)

    assert card.headline is not None
    assert card.headline.estimate
    assert card.line == ""
    assert card.counted_at == analysis.as_of


def test_card__of_a_moment__says_its_state(ann: User) -> None:
    board = boards.make_board(name="own", team=True, by=ann)
    boards.add_card(board=board, kind="moment", pk=a_moment().pk, by=ann)

    (card,) = cards_of(board)

    assert (card.title, card.words, card.url) == ("Friends", "candidate", "/aha/moments/m/")
    assert card.trend is None


def test_card__of_the_map_of_causes__comes_later_with_each_state_in_words_and_colour(ann: User) -> None:
    keep_lab((0.0, 0.0, 0.2))
    board = boards.make_board(name="own", team=True, by=ann)
    client = signed_in(ann)

    client.post(f"/boards/{board.pk}/cards/", {"card": "map:*"})
    (card,) = cards_of(board)
    page = client.get(f"/boards/{board.pk}/").content.decode()
    answer = " ".join(client.get(f"/boards/{board.pk}/cards/{card.row.pk}/").content.decode().split())

    assert (card.title, card.url, card.loads) == ("Map of causes", "/experiments/-/map/", True)
    assert f'hx-get="/boards/{board.pk}/cards/{card.row.pk}/"' in page
    assert "Known to change retention on days 21–27: shop (1 of 3 behaviours)." in answer
    assert '<span>shop</span> <span class="tag good">causes</span> <span class="soft fine">+19.8 points' in answer
    assert '<span>chat</span> <span class="tag ">not known yet</span>' in answer
    assert "The nudges agree" in answer


def test_card__of_the_map_of_one_outcome__says_which_and_is_offered_once(ann: User) -> None:
    keep_lab()
    board = boards.make_board(name="own", team=True, by=ann)
    client = signed_in(ann)

    def offered() -> list[str]:
        return re.findall(r'<option value="(map:[^"]*)"', client.get(f"/boards/{board.pk}/").content.decode())

    assert offered() == ["map:*", f"map:{OUTCOME}"]
    client.post(f"/boards/{board.pk}/cards/", {"card": f"map:{OUTCOME}"})
    (card,) = cards_of(board)

    assert offered() == ["map:*"]
    assert card.title == "Map of causes: retention on days 21–27"
    assert client.get(card.url).context["outcome"] == OUTCOME


def test_card__of_a_map_with_many_behaviours__lists_eight_and_counts_the_others(ann: User) -> None:
    for place in range(10):
        keep_findings([nudge(f"test {place}", (f"b{place}", 0.2), itt=0.0)])
    board = boards.make_board(name="own", team=True, by=ann)
    card = boards.add_card(board=board, kind="map", causes_of="*", by=ann)

    answer = signed_in(ann).get(f"/boards/{board.pk}/cards/{card.pk}/").content.decode()

    assert answer.count("<li>") == 8
    assert "2 more behaviours" in answer


def test_card__of_a_map_without_any_experiment__says_so(ann: User) -> None:
    board = boards.make_board(name="own", team=True, by=ann)
    card = boards.add_card(board=board, kind="map", causes_of="*", by=ann)

    answer = signed_in(ann).get(f"/boards/{board.pk}/cards/{card.pk}/").content.decode()

    assert "No finished experiment and no finished study says anything about a behaviour yet." in answer


@pytest.mark.parametrize("causes_of", ["", "nonsense", "\x00", "on_day:x"])
def test_card__of_a_map_of_no_outcome__is_refused(ann: User, causes_of: str) -> None:
    board = boards.make_board(name="own", team=True, by=ann)

    with pytest.raises(Refused):
        boards.add_card(board=board, kind="map", causes_of=causes_of, by=ann)
    signed_in(ann).post(f"/boards/{board.pk}/cards/", {"card": f"map:{causes_of}"})

    assert cards_of(board) == []


def test_card__of_the_same_map_twice__is_refused_and_of_another_outcome_is_not(ann: User) -> None:
    board = boards.make_board(name="own", team=True, by=ann)
    for outcome in ("*", "on_day:7"):
        boards.add_card(board=board, kind="map", causes_of=outcome, by=ann)
    with pytest.raises(Refused, match="on this board already"):
        boards.add_card(board=board, kind="map", causes_of="on_day:7", by=ann)


def test_card__of_the_map_on_a_board_of_another_person__is_not_found(ann: User, bob: User) -> None:
    board = boards.make_board(name="own", team=False, by=ann)
    card = boards.add_card(board=board, kind="map", causes_of="*", by=ann)

    assert signed_in(bob).get(f"/boards/{board.pk}/cards/{card.pk}/").status_code == 404
    assert Client().get(f"/boards/{board.pk}/cards/{card.pk}/").status_code == 302
