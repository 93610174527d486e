"""Sentences about all experiments: an answer where nudges agree, none where they don't, and who stands apart."""

from dataclasses import replace

from aha.evidence.findings import pool_findings
from aha.report.past import drawing, sentences, tables
from tests.aha.evidence.past.make_findings import FRIENDS, drawn


def test_agree__the_effect_with_its_set__and_no_proof() -> None:
    first, second, third = sentences(pool_findings(drawn(20, seed=3), FRIENDS))

    assert first.startswith(
        "20 experiments together: effect of the behaviour on users who did it because of the nudge +"
    )
    assert second.startswith("The nudges agree")
    assert "no proof" in second
    assert "prediction interval" in third


def test_one_experiment__that_could_end_early__is_too_large_alone() -> None:
    [row] = drawn(1, seed=3)
    looked = replace(row, corrected=row.moments)

    said = [sentences(pool_findings([one], FRIENDS)) for one in (row, looked, replace(row, caution="optimistic"))]

    assert [any("too large on average" in line for line in lines) for lines in said] == [False, True, True]
    assert "could end at planned analyses" in tables(pool_findings([looked], FRIENDS))[0].rows[0][-1]
    together = pool_findings([replace(one, caution="optimistic") for one in drawn(5, seed=3)], FRIENDS)
    assert not any("too large on average" in line for line in sentences(together))


def test_disagree__no_pooled_effect__eggers__and_who_stands_apart() -> None:
    past = pool_findings(drawn(20, seed=3, direct=(0.06,) * 5), FRIENDS)

    first, second, third, _test = sentences(past)

    assert "they are not averaged" in first
    assert "Egger" in second
    assert third.startswith("Furthest from the others: Test-0")
    assert "no answer either" in tables(past)[1].note


def test_disagree__of_few__egger_says_nothing_rather_than_hundreds_of_points() -> None:
    past = pool_findings(drawn(4, seed=3, direct=(0.2,)), FRIENDS)

    assert sentences(past)[1].startswith("4 experiments are too few to correct")


def test_picture__has_a_row_for_each__and_one_for_all_that_names_what_it_is() -> None:
    agree, apart = (pool_findings(drawn(20, seed=3, direct=(0.06,) * n), FRIENDS) for n in (0, 5))

    for past, name in ((agree, "All together"), (apart, "All, each nudge free to work in other ways")):
        found = drawing(past)
        assert found is not None
        assert name in str(found.spec)
        assert all(f"{place}. Test-" in str(found.spec) for place in range(1, 21))
