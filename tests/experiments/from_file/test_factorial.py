"""`map --file`: a factorial experiment's file of known truth, what a reader must be told, and what is refused."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

NUDGES, BEHAVIOURS = ("mail", "push", "gift"), ("add", "chat", "shop")
KEYS = {"behaviour", "promise", "effect", "state", "conditional_f", "with", "to_know"}
type Columns = dict[str, np.ndarray[Any, Any]]
type Write = Callable[[Columns], Path]


def world(n: int = 30_000, *, seed: int = 1, take_up: float = 0.25, shares: tuple[float, ...] = (0.5,) * 3) -> Columns:
    """Three nudges, each towards one behaviour; `mail` (add) also makes people chat, which alone keeps them.

    Who likes the game does everything more often and stays, so that all correlations are above 0.
    """
    rng = np.random.default_rng(seed)
    arms, liking = (rng.random((n, 3)) < shares).astype(int), rng.normal(0, 1, n)
    moved = arms @ np.array([[take_up, take_up / 2, 0], [0, take_up, 0], [0, 0, take_up]])
    acts = (rng.random((n, 3)) < 0.3 + 0.1 * np.tanh(liking)[:, None] + moved).astype(int)
    stayed = (rng.random(n) < 0.3 + 0.2 * acts[:, 1] + 0.15 * np.tanh(liking)).astype(int)
    columns: Columns = {"user": np.arange(n), "stayed": stayed}
    return columns | dict(zip((*NUDGES, *BEHAVIOURS), np.concatenate([arms, acts], axis=1).T, strict=True))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(columns: Columns) -> Path:
        path = tmp_path / "lab.csv"
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]))
        return path

    return written


def options(path: Path, *more: str, nudges: tuple[str, ...] = NUDGES, behaviours: tuple[str, ...] = BEHAVIOURS) -> Any:
    listed = [f"--nudge={name}" for name in nudges] + [f"--behaviour={name}" for name in behaviours]
    return ("map", f"--file={path}", "--unit=user", "--outcome=stayed", *listed, *more)


def mapped(path: Path, *more: str, **columns: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(*options(path, "--json", *more, **columns), stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def refusal(path: Path, *more: str, **columns: Any) -> str:
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(*options(path, "--json", *more, **columns), stdout=out)
    assert caught.value.returncode == 2
    assert out.getvalue() == ""
    return str(caught.value)


def test_map__of_a_lab_where_one_nudge_spills__names_the_cause_and_not_the_behaviour_beside_it(write: Write) -> None:
    found = mapped(write(world()), "--margin", "0.1")

    rows = {row["behaviour"]: row for row in found["behaviours"]}
    assert [row["state"] for row in rows.values()] == ["no_material_effect", "causes", "no_material_effect"]
    assert rows["chat"]["effect"]["low"] < 0.2 < rows["chat"]["effect"]["high"]
    assert all(rows[name]["effect"]["low"] < 0 < rows[name]["effect"]["high"] for name in ("add", "shop"))
    # The correlation promises something of each, and nobody need test further.
    assert all(row["promise"]["low"] > 0 for row in rows.values())
    assert {row["to_know"] for row in rows.values()} == {None}
    assert all(set(row) == KEYS for row in rows.values())
    assert found["agreement"]["not_computable"].startswith("There are as many nudges as behaviours")
    assert [pair["nudges"] for pair in found["interactions"]] == [["mail", "push"], ["mail", "gift"], ["push", "gift"]]
    assert found["remarks"] == []


def test_map__of_the_first_nudge_alone__would_call_the_wrong_behaviour_a_cause(write: Write) -> None:
    found = mapped(write(world()), nudges=("mail",), behaviours=("add",))

    assert found["behaviours"][0]["state"] == "causes"
    assert found["interactions"] == []


def test_map__of_more_nudges_than_behaviours__says_that_one_works_in_another_way(write: Write) -> None:
    found = mapped(write(world()), behaviours=("add", "shop"))

    # Chat isn't on the list: what `push` does through it contradicts that it moves neither.
    assert found["agreement"]["agree"] is False
    assert found["behaviours"][0]["state"] == "contradicted"
    assert "disagree" in found["behaviours"][0]["effect"]["not_computable"]


def test_map__of_strong_nudges__has_the_shorter_set_beside_the_one_that_decides(write: Write) -> None:
    path, two = write(world()), {"nudges": ("mail", "push"), "behaviours": ("chat",)}
    effect = mapped(path, **two)["behaviours"][0]["effect"]
    out = StringIO()
    call_command(*options(path, **two), stdout=out)

    shorter = effect["strong_set"]
    assert effect["low"] < shorter["low"] < effect["estimate"] < shorter["high"] < effect["high"]
    assert (shorter["shape"], shorter["level"]) == ("interval", 0.95)
    assert "No state rests on it" in " ".join(out.getvalue().split())
    # As many nudges as behaviours, and more of them that are weak: there is none.
    assert mapped(path)["behaviours"][1]["effect"]["strong_set"] is None
    weak = mapped(write(world(3_000, take_up=0.05)), **two)["behaviours"][0]
    assert 4 < weak["conditional_f"] < 10
    assert weak["effect"]["strong_set"] is None


def test_map__of_two_behaviours_always_moved_together__names_each_beside_the_other(write: Write) -> None:
    columns = world()
    columns["push"] = np.random.default_rng(5).integers(0, 2, len(columns["user"]))  # moves nothing
    found = mapped(write(columns))

    rows = {row["behaviour"]: row for row in found["behaviours"]}
    assert (rows["add"]["state"], rows["add"]["with"]) == ("not_told_apart", ["chat"])
    assert (rows["chat"]["state"], rows["chat"]["with"]) == ("not_told_apart", ["add"])
    assert "not_computable" in rows["add"]["effect"]
    assert mapped(write(world()))["behaviours"][0]["with"] == []


def test_map__open_behaviour__says_how_many_users_a_verdict_takes_where_a_margin_is_given(write: Write) -> None:
    path = write(world(6_000))

    without = mapped(path)["behaviours"][0]["to_know"]
    to_know = mapped(path, "--margin", "0.05")["behaviours"][0]["to_know"]
    half = mapped(path, "--margin", "0.025")["behaviours"][0]["to_know"]

    assert without == {"not_computable": "No margin is given: the smallest effect worth acting on."}
    assert to_know["users"] > 6_000
    assert half["users"] == pytest.approx(4 * to_know["users"], abs=4)
    assert to_know["weeks"] == {"not_computable": "How many users join a day isn't known here."}


def test_map__users_copied_within_groups__is_as_wide_as_without_the_copies_with_cluster_alone(write: Write) -> None:
    columns = world(4_000)
    path = write(columns)
    own = mapped(path)["behaviours"][1]["effect"]
    copies = {name: np.repeat(values, 5) for name, values in columns.items()}
    path = write(copies | {"guild": copies["user"], "user": np.arange(20_000)})

    wide, narrow = (mapped(path, *more)["behaviours"][1]["effect"] for more in (("--cluster", "guild"), ()))

    assert wide["estimate"] == pytest.approx(own["estimate"])
    assert wide["high"] - wide["low"] == pytest.approx(own["high"] - own["low"], rel=0.02)
    assert narrow["high"] - narrow["low"] < 0.6 * (own["high"] - own["low"])


def test_map__uneven_shares__are_a_remark_until_the_plan_is_told(write: Write) -> None:
    path = write(world(10_000, shares=(0.3, 0.5, 0.5)))

    assert [row["code"] for row in mapped(path)["remarks"]] == ["nudge_share"]
    assert mapped(path, "--ratio", "mail=0.3")["remarks"] == []
    assert "planned are 35%" in refusal(path, "--ratio", "mail=0.35")


def test_map__draws_that_depend_on_each_other_and_holes__are_remarks(write: Write) -> None:
    columns = world(5_000)
    rng = np.random.default_rng(3)
    columns["push"] = np.where(rng.random(5_000) < 0.2, columns["mail"], columns["push"])
    columns["stayed"] = columns["stayed"].astype(object)
    columns["stayed"][:7] = ""

    remarks = mapped(write(columns))["remarks"]

    assert {row["code"]: row.get("n") for row in remarks} == {"missing_outcome": 7, "draws_dependent": None}
    assert "Where a nudge decides whose outcome is known" in remarks[0]["message"]


def changed(**columns: Any) -> Columns:
    return world(400) | {name: np.array(values) for name, values in columns.items()}


@pytest.mark.parametrize(
    ("columns", "more", "sentence"),
    [
        (changed(mail=[2] + [0, 1] * 199 + [0]), (), "(--nudge) must be 0 or 1, but row 2 holds 2"),
        (changed(add=[0.5] + [0, 1] * 199 + [0]), (), "(--behaviour) must be 0 or 1, but row 2 holds 0.5"),
        (changed(mail=[0] * 400), (), "column 'mail' (--nudge) must hold both 0 and 1"),
        (changed(user=[1, *range(1, 400)]), (), "user '1' of column 'user' stands 2 times (rows 2 and 3)"),
        (changed(stayed=["yes"] * 400), (), "(--outcome) must hold numbers"),
        (changed(), ("--nudge", "sms"), "there is no column 'sms' (--nudge)"),
        (changed(), ("--nudge", "add"), "column 'add' is given twice, as --nudge and --behaviour"),
        (changed(), ("--behaviour", "stayed"), "3 nudges can't tell 4 behaviours apart"),
        (changed(), ("--alpha", "0.7"), "--alpha must lie between 0 and 0.5"),
        (changed(), ("--margin", "-1"), "--margin must be above 0"),
        (changed(), ("--ratio", "mail"), "--ratio 'mail' must be COL=SHARE"),
        (changed(), ("--ratio", "stayed=0.4"), "--ratio names column 'stayed', which is no --nudge"),
        (changed(guild=[0, 1] * 200), ("--cluster", "guild"), "has 2 groups; to read nudges together takes"),
    ],
)
def test_map__bad_input__is_one_sentence_and_status_2(
    write: Write, columns: Columns, more: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refusal(write(columns), *more)


def test_map__two_columns_of_one_draw__are_refused(write: Write) -> None:
    columns = world(400)
    columns["push"] = 1 - columns["mail"]

    assert "the nudges 'mail' and 'push' went to the same users" in refusal(write(columns))


def test_map__without_a_column__names_the_option() -> None:
    with pytest.raises(CommandError, match="--unit: with --file this column must be named"):
        call_command("map", "--file=lab.csv", "--outcome=stayed", "--nudge=mail", "--behaviour=add")


def test_map__on_a_terminal__has_the_states_in_words(write: Write) -> None:
    out = StringIO()
    call_command(*options(write(world()), "--margin", "0.1"), stdout=out)

    text = out.getvalue()
    assert "no material effect" in text
    assert "causes" in text
    assert "mail × push" in text
