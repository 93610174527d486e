"""Every parser of what comes from outside, as a function of bytes: it may refuse them in its own way, and nothing else.

A target raises `AssertionError` where what was read can't be written and read again as the same, and lets through each
error that the parser's door would not catch. `python -m tests.fuzz` drives them with atheris, `test_fuzz.py` with
the cases that were found.
"""

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs

from events.importing.first_rows import Beginning, preview
from events.importing.mapping import Context, guess_mapping, mistakes, options_of
from events.importing.text_reading import Reading, guess_reading, sample_of
from events.importing.uploads import head_of
from events.ingest import RefusedRequestError, _batch, _decoded
from events.metrics import parse_behaviour, parse_metric, parse_retention
from events.outbox.accept import merge_traits
from events.pickers.definition_parts import read_definition, read_retention
from events.schema import BATCH_BYTES, EARLIEST, read_batch, read_body
from experiments.draw.evaluation import is_new_unit
from experiments.files.cleaning import clean, resolve
from experiments.files.reading import read_table
from experiments.plan.design import Design
from experiments.serve import ofrep
from experiments.serve.assign import traits_with, unit_problem
from experiments.serve.http_body import BadBodyError, parse
from insight_site.operate.request_lines import ids_of
from runs.refusals import Refused
from segments.rules import Facts, matches, needs, parse_rule, sentence, to_document
from segments.rules.editor_check import check
from segments.rules.editor_rows import read_rows
from segments.rules.editor_state import act
from tests.fuzz import metric_files, parquet_files
from tests.fuzz.closed_doors import closed_doors
from tests.fuzz.sql_metrics import HOSTILE_SEEDS, SEEDS, WORDS, sql_metric

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Target:
    """A parser under attack.

    Attributes:
        name: of the folder with its cases.
        run: reads the bytes; its errors are findings.
        seeds: good inputs, from which others are made.
        words: texts that make sense to it.
        longest: bytes of an input.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[str, ...] = ()
    longest: int = 4_096

    def read(self, data: bytes) -> None:
        """Run, with everything else out of reach."""
        with closed_doors():
            self.run(data)


def _text(data: bytes) -> str:
    return (
        data.decode("utf-8", "surrogatepass" if b"\xed" in data else "replace")
        if _decodes(data)
        else data.decode("latin-1")
    )


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def events(data: bytes) -> None:
    """The ingest door behind its key: from bytes to rows, as a batch, one event and an import."""
    try:
        read = read_body(data)
    except ValueError:
        return
    for kind, historical in ((None, False), ("track", False), ("identify", True)):
        try:
            found = _batch(read.data) if kind is None else [read.data]
        except RefusedRequestError:
            continue
        extra = {"context": read.data.get("context"), "sent_at": read.data.get("sentAt")} if kind is None else {}
        taken, refused = read_batch(found, received_at=NOW, kind=kind, historical=historical, plain=read.plain, **extra)
        assert len(taken) + len(refused) == len(found)
        for row in taken:
            f"{row.user_id}{row.event}{row.message_id or ''}{row.properties}".encode()  # PostgreSQL's text
            assert EARLIEST <= row.time <= NOW
            assert "\0" not in row.user_id + row.event
            assert isinstance(json.loads(row.properties), dict)
            if row.traits is not None:
                values, said = merge_traits({}, {}, row.traits, row.time)
                json.dumps(values, allow_nan=False).encode()
                assert values.keys() == said.keys()
        for bad in refused:
            bad.payload.encode("ascii")
            bad.message.encode()


def packed(data: bytes) -> None:
    """A body that says it is gzip: never more than the limit, whatever it opens to."""
    with suppress(RefusedRequestError):
        assert len(_decoded(data, "gzip")) <= BATCH_BYTES


def context(data: bytes) -> None:
    """The body of an evaluation: its unit, traits, and a rule over them."""
    try:
        unit, found = ofrep._unit(parse(data))
    except (BadBodyError, ofrep.RefusedContextError):
        return
    unit.encode()
    json.dumps(found, allow_nan=False).encode()
    assert unit_problem(unit) is None
    traits = traits_with({"plan": "pro", "age": 3}, found)
    is_new_unit(NOW, traits, {"created_at": NOW.isoformat()})
    for rule in RULES:
        matches(rule, Facts(traits))


def rule(data: bytes) -> None:
    """A rule of a segment, as the API and the admin read it: words, document and back, and a unit."""
    try:
        document = json.loads(_text(data))
    except (ValueError, RecursionError):
        return
    try:
        found = parse_rule(document)
    except Refused as refusal:
        str(refusal)
        return
    assert parse_rule(to_document(found)) == found
    assert sentence(found)
    needs(found)
    matches(found, Facts({"plan": "pro", "age": 3, "ok": True}))


def builder(data: bytes) -> None:
    """The form of a rule as a browser posts it: rows, buttons, mistakes, and the rule of rows that are whole."""
    posted = parse_qs(_text(data), keep_blank_values=True)
    rows = read_rows(posted)
    rows = act(rows, posted.get("do", [""])[0]).rows
    found = check(rows)
    for mistake in found.mistakes:
        str(mistake.why)
        if mistake.mend:
            act(rows, mistake.mend.do)
    if found.rule is not None:
        assert parse_rule(to_document(found.rule)) == found.rule


def _definition(read: Callable[[str], object]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        try:
            found = read(_text(data))
        except Refused as refusal:
            str(refusal)
            return
        assert read(str(found)) == found

    return run


def table(data: bytes) -> None:
    """An uploaded file: how it is read, what its columns mean, what would be imported."""
    try:
        reading = guess_reading(data)
        if reading.kind == "parquet":
            return
        sample = sample_of(data, reading)
    except Refused as refusal:
        str(refusal)
        return
    for other in (Reading("csv", "utf-8", ";"), Reading("csv", "cp949", ",", header=False), Reading("jsonl", "utf-16")):
        try:
            sample_of(data, other)
        except Refused as refusal:
            str(refusal)
    mapping = guess_mapping(sample, Context("data.csv"))
    if not mistakes(mapping, sample):
        options_of(mapping, reading, sample)


def first_rows(data: bytes) -> None:
    """The same file through the engine: what a person is shown before an import."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(data)
        try:
            head, whole = head_of(path, packed=data[:2] == b"\x1f\x8b")
            reading = guess_reading(head)
            if reading.kind == "parquet":
                return
            sample = sample_of(head, reading)
            mapping = guess_mapping(sample, Context("data.csv"))
            if mistakes(mapping, sample):
                return
            beginning = Beginning(path, head, whole, data[:2] == b"\x1f\x8b")
            found = preview(beginning, reading, sample, mapping, NOW)
        except Refused as refusal:
            str(refusal)
            return
        assert found is not None


def finished(data: bytes) -> None:
    """The file of an experiment that was run elsewhere, up to its units."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data"
        path.write_bytes(data)
        try:
            found = read_table(path, text_columns=frozenset({"variant", "unit"}))
            clean(found, resolve(found, FINISHED))
        except Refused as refusal:
            str(refusal)


def headers(data: bytes) -> None:
    """Ids that a caller sends: they end in logs, so nothing but letters, digits and dots may come through."""
    sent, _, trace = data.decode("latin-1").partition("\n")
    for value in ids_of(sent, trace).values():
        assert value.isascii()
        assert value.replace("-", "").replace(".", "").replace("_", "").isalnum() or not value.strip("-._")
        assert len(value) <= 128


RULES = tuple(
    parse_rule(document)
    for document in (
        {"all": [{"trait": "plan", "is": "pro"}, {"any": [{"trait": "age", "at_least": 3}]}]},
        {"none": [{"trait": "plan", "in": ["a", 1, True]}, {"trait": "age", "is_not": 4}]},
        {"any": [{"trait": "plan", "exists": False}, {"trait": "targetingKey", "at_most": 2.5}]},
    )
)
_EVENT: dict[str, Any] = {
    "type": "track",
    "event": "level_up",
    "userId": "u1",
    "messageId": "m1",
    "timestamp": "2026-10-31T12:00:00Z",
    "properties": {"level": 3, "name": "é", "deep": {"a": [1, 2.5, None, True]}},
}
_IDENTIFY = {"type": "identify", "anonymousId": "a1", "traits": {"plan": "pro"}, "context": {"traits": {"x": 1}}}
_BATCH = {
    "batch": [_EVENT, _IDENTIFY, {"type": "alias", "userId": "u2", "previousId": "u1"}],
    "sentAt": "2026-10-31T12:00:00.5+09:00",
    "context": {"ip": "1.2.3.4"},
}
_CSV = b"user,time,event,level\nu1,2026-10-31 12:00:00,signup,1\nu2,2026-10-31 13:00:00,level_up,2\n"
FINISHED = Design(variant="variant", control="a", outcomes=("y",), unit="unit")
DEFINITIONS = (
    "on_day:7",
    "window:14-20",
    "week:2",
    "unbounded:7",
    "min_days:2:7-13",
    "min_events:play:3:0-6",
    "survival:7",
)
METRICS = (
    *("count:play:0-6", "sum:buy:price:0-6", "active_days:0-6", "cap:100:sum:buy:price:0-6", "p95:count:play:0-6"),
    *("funnel:play:buy[a=b]:0-6", "capped:9:sql:0-6:SELECT user_id, count(*) AS value FROM events GROUP BY user_id"),
)
TARGETS = (
    Target("catalogue", metric_files.catalogue, metric_files.SEEDS, metric_files.WORDS),
    Target(
        "events",
        events,
        (json.dumps(_BATCH).encode(), json.dumps(_EVENT).encode(), json.dumps(_IDENTIFY).encode()),
        (
            "batch",
            "type",
            "track",
            "identify",
            "alias",
            "group",
            "userId",
            "timestamp",
            "NaN",
            "1e999",
            "\\u0000",
            "\\ud800",
        ),
    ),
    Target(
        "packed", packed, (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",)
    ),
    Target(
        "context",
        context,
        (b'{"context": {"targetingKey": "u1", "plan": "pro", "age": 3}}', b'{"context": {"targetingKey": 7}}'),
        ("context", "targetingKey", "plan", "age", "created_at", "\\ud800", "1e400"),
    ),
    Target(
        "rule",
        rule,
        (
            *(json.dumps(to_document(each)).encode() for each in RULES),
            b'{"all": [{"behaviour": "play[mode=pvp]#map", "days": 7, "at_least": 3}]}',
        ),
        (
            "all",
            "any",
            "none",
            "trait",
            "behaviour",
            "days",
            "feature",
            "at_least",
            "at_most",
            "is_not",
            "exists",
            "1" + "0" * 400,
            "1e400",
        ),
    ),
    Target(
        "builder",
        builder,
        (
            b"node=r+g&r.join=all&node=r-0+c&r-0.subject=trait&r-0.before=trait&r-0.name=plan&r-0.operator=is&r-0.typed=3"
            b"&r-0.kind=number&node=r-1+g&r-1.join=any&node=r-1-0+c&r-1-0.subject=behaviour&r-1-0.before=behaviour"
            b"&r-1-0.name=play&r-1-0.operator=at_least&r-1-0.typed=2&r-1-0.days=7&do=up+r-1",
            b"node=r+g&node=r-0+c&r-0.subject=trait&r-0.before=trait&r-0.name=age&r-0.operator=in&r-0.values=1&r-0.values=%22a%22",
        ),
        (
            "node",
            "r-0",
            "r-1-0",
            "before",
            "subject",
            "typed",
            "kind",
            "number",
            "values",
            "pick",
            "operator",
            "do=pick+r-0+1",
            "1" + "0" * 400,
        ),
    ),
    Target("behaviour", _definition(parse_behaviour), (b"play", b"play[mode=pvp]", b"play#map", rb"a\[b\]#c\#d")),
    Target("retention", _definition(parse_retention), tuple(text.encode() for text in DEFINITIONS)),
    Target("metric", _definition(parse_metric), tuple(text.encode() for text in DEFINITIONS + METRICS)),
    Target("sql_metric", sql_metric, SEEDS + HOSTILE_SEEDS, WORDS),
    Target("people_retention", _definition(read_retention), (b"D7", b"day 14-20", "2주차 잔존율".encode(), b"w2")),
    Target("people_metric", _definition(read_definition), (b"D7+", b"week 3", b"count:play:0-6")),
    Target(
        "table",
        table,
        (
            _CSV,
            b'{"user": "u1", "ts": 1761912000, "name": "signup", "n": 1}\n',
            _CSV.replace(b",", b"\t"),
            "유저,시간\n가,2026-01-01\n".encode("cp949"),
        ),
        longest=16_384,
    ),
    Target(
        "first_rows",
        first_rows,
        (_CSV, gzip.compress(_CSV, mtime=0), b'{"user": "u1", "ts": 1761912000, "name": "signup", "n": 1}\n'),
        longest=8_192,
    ),
    Target("finished", finished, (b"unit,variant,y\n1,a,0\n2,b,1\n", b"unit\tvariant\ty\n1\ta\t0.5\n"), longest=8_192),
    Target("parquet", parquet_files.uploaded, parquet_files.UPLOADS, parquet_files.WORDS, longest=8_192),
    Target("finished_parquet", finished, parquet_files.FINISHED, parquet_files.WORDS, longest=8_192),
    Target("headers", headers, (b"abc-123\n00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)),
)
BY_NAME = {target.name: target for target in TARGETS}
