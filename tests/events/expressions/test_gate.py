"""The gate of SQL metrics: hostile statements, mistakes that people make, and what passes."""

import pytest
from sqlglot import exp, parse_one

from events.metrics import Capped, Expression, Quantile, parse_metric
from events.metrics.sentences import sentence
from events.metrics.sql_gate import LONGEST, checked, one_line
from events.windows import Window
from runs.refusals import Refused
from tests.events.expressions.hostile import HOSTILE, TAIL

# By name: what ten plain questions look like. `tests/engines/test_sql_metrics.py` asks them of three engines.
GOOD = {
    "events": f"SELECT user_id, count(*){TAIL}",
    "revenue": f"SELECT user_id, sum(number('price')) FILTER (WHERE event = 'buy'){TAIL}",
    "a day": f"SELECT user_id, sum(number('price')) / (last_day - first_day + 1){TAIL}",
    "share": f"SELECT user_id, count(*) FILTER (WHERE property('mode') = 'ranked') / count(*){TAIL}",
    "days": "SELECT user_id, count(DISTINCT day) AS value FROM events WHERE event <> 'signup' GROUP BY user_id",
    "best day": "SELECT user_id, max(spent) AS value FROM (SELECT user_id, day, sum(number('price')) AS spent "
    "FROM events WHERE event IN ('buy', 'gift') GROUP BY user_id, day) AS d GROUP BY user_id",
    "reached": f"SELECT user_id, CASE WHEN count(*) FILTER (WHERE event LIKE 'b%') >= 3 THEN 1 ELSE 0 END{TAIL}",
    "soon": "SELECT user_id, min(seconds) / 3600 AS value FROM events WHERE event = 'buy' AND seconds > 0 "
    "GROUP BY user_id",
    "modes": "SELECT user_id, count(DISTINCT mode) AS value FROM (SELECT user_id, coalesce(property('mode'), 'none') "
    "AS mode FROM events WHERE NOT event = 'signup') GROUP BY user_id HAVING count(*) > 1",
    "limits": "SELECT user_id, least(greatest(avg(abs(number('price') - 5)), 0.5), 100) + floor(max(day) / 7) "
    "- coalesce(nullif(count(number('price')), 0), -1) * 2 AS value FROM events "
    "WHERE day BETWEEN 0 AND 6 AND (number('price') IS NOT NULL OR property('mode') IS NULL) GROUP BY user_id",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_gate__hostile__is_refused_with_one_sentence(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        checked(one_line(HOSTILE[name]))

    said = str(refusal.value)
    assert said.endswith(".")
    assert "{" not in said
    assert len(said) < 300


def test_hostile__are_forty_and_more() -> None:
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"SELECT user_id, median(day){TAIL}", "'MEDIAN(day)' at character 17 is not among"),
        (f"SELECT user_id, sum(price){TAIL}", "no column 'price' at character 21; there are user_id, event, day"),
        (f"SELECT user_id, sum(event){TAIL}", "'event' at character 21 is no number."),
        ("SELECT user_id, sum(day) AS value FROM events", "'SUM(day)' at character 17 stands where no group is"),
        ("SELECT user_id, day AS value FROM events", "one row per user"),
        ("SELECT user_id, day AS value FROM events GROUP BY user_id, day", "one row per user"),
        ("SELECT user_id, day AS value FROM events GROUP BY user_id", "'day' is neither in GROUP BY nor inside"),
        ("SELECT user_id, sum(day) AS spent FROM events GROUP BY user_id", "two columns"),
        ("SELECT user_id, sum(day) AS value FROM events GROUP BY 1", "GROUP BY takes names of columns"),
        (
            "SELECT user_id, event AS value FROM (SELECT user_id, event FROM events) GROUP BY user_id",
            "neither in GROUP",
        ),
        (f"SELECT user_id, sum(day){TAIL} ORDER BY user_id", "'ORDER BY user_id' at character"),
        (f"SELECT user_id, sum(day){TAIL} LIMIT 3", "'LIMIT 3' at character"),
        (f"SELECT user_id, sum(sum(day)){TAIL}", "'SUM(day)' at character 21 stands where no group is"),
        (f"SELECT user_id, sum(event = 'a'){TAIL}", "is no number"),
        (f"SELECT user_id, count(*) = 1{TAIL}", "write CASE WHEN"),
        (f"SELECT user_id, sum(day){TAIL} HAVING day > 1", "'day' is neither in GROUP BY"),
        ("SELECT user_id, sum(e.day) AS value FROM events GROUP BY user_id", "'e.day' at character"),
        (
            "SELECT user_id, sum(day) AS day FROM events GROUP BY user_id",
            "'day' at character 17 is what another column",
        ),
        ("SELEC user_id", "begins with SELECT, not with 'SELEC'"),
        (f"SELECT user_id, sum(day{TAIL}", "no SQL that can be read"),
        ("", "begins with SELECT"),
    ],
)
def test_gate__a_mistake__is_named_with_its_place(sql: str, said: str) -> None:
    with pytest.raises(Refused) as refusal:
        checked(sql)

    assert said in str(refusal.value)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "pyspark"])
def test_gate__what_passes__is_one_select_of_one_table(name: str, dialect: str) -> None:
    import ibis.backends.sql.dialects  # noqa: F401 - registers "pyspark"

    found = checked(GOOD[name]).sql(dialect=dialect, table="seen", window=Window(0, 6))

    tree = parse_one(found, read=dialect)
    assert isinstance(tree, exp.Select)
    assert {table.name for table in tree.find_all(exp.Table)} == {"seen"}
    assert not list(tree.find_all(exp.Placeholder, exp.Anonymous, exp.Command))


def test_gate__what_passes__names_its_properties_and_events() -> None:
    found = checked(GOOD["best day"])

    assert (found.properties, found.numbers, found.events) == ((), ("price",), ("buy", "gift"))


def test_gate__brackets_of_the_writer__decide_what_comes_first() -> None:
    found = checked(f"SELECT user_id, (sum(day) + 1) * 2{TAIL}").sql(dialect="duckdb", table="t", window=Window(0, 6))

    assert "+ CAST(1 AS DOUBLE)) * CAST(2 AS DOUBLE)" in found


def test_gate__as_long_as_may_be__passes_and_one_more_is_refused() -> None:
    right = f"SELECT user_id, count(*) FILTER (WHERE event = 'a'){TAIL}"
    padded = right.replace("'a'", "'a'" + " " * (LONGEST - len(right)))

    assert checked(padded).events == ("a",)
    with pytest.raises(Refused, match="at most 4000 characters"):
        checked(padded.replace("'a'", "'aa'"))


@pytest.mark.parametrize("sql", GOOD.values())
def test_metric__sql__parses_back_from_its_line(sql: str) -> None:
    definition = parse_metric(f"sql:0-6:{sql}")

    assert definition == Expression(Window(0, 6), sql)
    assert parse_metric(str(definition)) == definition
    assert str(definition) == f"sql:0-6:{sql}"
    assert sql in sentence(definition)
    assert "from day 0 to day 6" in sentence(definition)


def test_metric__sql_over_lines__is_kept_on_one() -> None:
    found = parse_metric(
        "sql:0-6:select user_id,\n  count(*) filter (where event = 'a  b: c / d')\n as value\n"
        "from events\ngroup by user_id;\n"
    )

    assert str(found) == (
        "sql:0-6:select user_id, count(*) filter (where event = 'a  b: c / d') as value from events group by user_id"
    )
    assert parse_metric(str(found)) == found


def test_metric__sql__may_be_capped_and_be_a_quantile_and_be_no_part_of_a_ratio() -> None:
    sql = f"sql:0-6:{GOOD['a day']}"

    capped, quantile = parse_metric(f"capped:99%=20:{sql}"), parse_metric(f"quantile:90%:{sql}")

    assert isinstance(capped, Capped)
    assert isinstance(quantile, Quantile)
    assert [parse_metric(str(found)) for found in (capped, quantile)] == [capped, quantile]
    with pytest.raises(Refused, match="divide inside the SELECT"):
        parse_metric(f"count:a:0-6 / {sql.replace(' / ', '/')}")


@pytest.mark.parametrize(
    "text", ["sql:0-6:", "sql:0-6", "sql:6:SELECT", f"sql:0-:{GOOD['events']}", "sql:0-6:DROP TABLE x"]
)
def test_metric__no_sql__is_refused(text: str) -> None:
    with pytest.raises(Refused, match=r"\."):
        parse_metric(text)


@pytest.mark.parametrize(("negations", "refused"), [(12, False), (60, True)])
def test_levels_without_brackets__are_bounded__so_that_what_passes_can_be_parsed_again(
    negations: int, refused: bool
) -> None:
    condition = f"{'NOT ' * negations}event = 'pay'"
    sql = f"SELECT user_id, SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS value FROM events GROUP BY user_id"

    if refused:
        with pytest.raises(Refused, match="nested too deeply"):
            checked(sql)
    else:
        checked(sql)
