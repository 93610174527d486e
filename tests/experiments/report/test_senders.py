"""What the report says of exposures that weren't admitted, and of units that only a client key knows."""

from dataclasses import replace

import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.gather.admission import SetAside
from experiments.analyse.health.all_checks import with_all, without_some
from experiments.report.flow import senders_parts as parts
from experiments.report.page import sections
from experiments.report.stored_document import document
from tests.experiments.make_answers import draw_units, make_analysed, make_answers
from tests.experiments.make_readout import CLEAN, TODAY


def plain(text: str) -> str:
    return text


def test_parts__nothing_set_aside__say_nothing() -> None:
    readout = analyse_answers(make_analysed(), make_answers(draw_units(2_000)), CLEAN, today=TODAY)

    assert list(parts(readout)) == []


@pytest.mark.slow
def test_parts__set_aside_and_doubtful__are_tables_of_the_flow_and_in_the_document() -> None:
    answers = replace(make_answers(draw_units(2_000)), not_admitted=(SetAside("web", "arm", 60, 50),))
    whole = analyse_answers(make_analysed(), answers, CLEAN, today=TODAY)
    rest = analyse_answers(make_analysed(), make_answers(draw_units(1_800)), CLEAN, today=TODAY)

    readout = without_some(whole, rest)

    aside, without = parts(readout)
    assert aside.table is not None
    assert without.table is not None
    assert aside.table.rows == (("web", "another group than the user's own", "60", "50"),)
    assert "200" in without.finding
    assert [row[0] for row in without.table.rows][-1] == "first outcome, nudge against control"
    assert without.table.columns == ("quantity", "all admitted users", "without the unverified")
    assert not any(cell.startswith("=") for row in without.table.rows for cell in row)
    flow = next(section for section in sections(readout) if section.slug == "units")
    assert [part.slug for part in flow.parts][:3] == ["units", "not-admitted", "without-unverified"]
    written = document(readout)
    assert written["flow"]["not_admitted"] == [{"sender": "web", "reason": "arm", "exposures": 60, "units": 50}]
    assert written["without_unverified"]["left_out"] == 200


def test_parts__units_of_client_keys_alone__stand_beside_with_what_was_set_aside_at_our_door() -> None:
    answers = replace(make_answers(draw_units(1_800)), not_admitted=(SetAside("", "address", 60, 50),), apart=True)
    deciding = analyse_answers(make_analysed(), answers, CLEAN, today=TODAY)
    whole = analyse_answers(make_analysed(), make_answers(draw_units(2_000)), CLEAN, today=TODAY)

    readout = with_all(deciding, whole)

    aside, beside = parts(readout)
    assert aside.table is not None
    assert beside.table is not None
    assert aside.table.rows == (
        ("our evaluation door", "the id came in with too many new ids of one address", "60", "50"),
    )
    assert beside.slug == "with-unverified"
    assert beside.table.columns == ("quantity", "users that decide", "with the unverified")
    assert "200" in beside.finding
    assert document(readout)["with_unverified"]["left_out"] == 200
    assert document(readout)["flow"]["apart"] is True
