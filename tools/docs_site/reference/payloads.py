"""Reference of stored results as JSON in REST, from the records that pydantic serialises."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from django.utils.module_loading import import_string
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from experiments.plan import analysed
from experiments.plan.record import Plan, Predictor
from tools.docs_site.reference import shapes
from tools.docs_site.reference.markdown import made_of


@dataclass(frozen=True)
class Payload:
    """One kind of stored result.

    Attributes:
        schema: dotted name of its `runs.payloads.Schema`.
        slug: of its page.
        title: name for people.
        where: the operation that returns it.
        record: dotted name of the record with every field, where the schema reads several types; "" for its own.
    """

    schema: str
    slug: str
    title: str
    where: str
    record: str = ""


PAYLOADS = (
    Payload("experiments.analyse.payload_versions.READOUT", "analysis", "Analysis of an experiment", "`readout` of `GET /api/v1/experiments/{key}/analyses/{id}`", "experiments.analyse.result.Opened"),
    Payload("aha.study.payload_versions.STUDY", "study", "Study", "`report` of `GET /api/v1/studies/{id}`"),
    Payload("aha.study.payload_versions.EVIDENCE", "evidence", "Evidence of a moment", "`evidence` of `GET /api/v1/moments/{key}`"),
    Payload("aha.moments.reach.WEEKS", "reach", "Weekly reach of a moment", "`reach` of `GET /api/v1/moments/{key}`"),
    Payload("segments.search.result.SEGMENTATION", "segmentation", "Segmentation", "`report` of `GET /api/v1/segmentations/{id}`"),
    Payload("segments.search.result.PROFILE", "profile", "Profile of a segment", "`profile` of `GET /api/v1/segments/{id}`"),
    Payload("segments.published.drift.COMPARISON", "comparison", "Comparison of two segments", "the page of the comparison"),
    Payload("segments.published.drift.DRIFT", "drift", "Drift of published segments", "the page of a segment model"),
    Payload("segments.published.churn_model.CHURN", "churn", "Churn model", "the page of the churn model"),
    Payload("events.importing.import_report.IMPORT", "import", "Import of a file", "the page of the import, `import_events --json`"),
    Payload("events.catalogue.check_report.CHECK", "metric-check", "Check of a metric on its past", "`report` of `GET /api/v1/metrics/{key}/checks`"),
    Payload("launches.balance.simulation.BALANCE", "balance", "Balance of an event", "the page of the balance; `balance --json` and `GET /api/v1/balances/{id}` print a part of it"),
    Payload("launches.judge.LAUNCH", "launch", "Reading of a launch", "the page of the launch; `launch --json` and `GET /api/v1/launches/{key}/readings` print a part of it"),
    Payload("launches.growth.model.GROWTH", "growth", "Forecast of growth", "the page of the forecast; `growth --json` and `GET /api/v1/growth/{id}` print a part of it"),
    Payload("insight_site.selftest.selftest_result.SELF_TEST", "self-test", "Self-test", "the page of the self-test, `selftest --json`"),
    Payload("experiments.analyse.across.holdout_result.HOLDOUT", "holdout-report", "Holdout report", "`report` of `GET /api/v1/holdout-plans/{id}/readings/{reading}`"),
    Payload("experiments.files.judge.FILE_REPORT", "finished-test", "Finished test from a file", "the page of the judged test"),
    Payload("experiments.analyse.across.map_changes.KEPT_MAP", "map-reading", "Kept reading of the map of causes", "`result` of its signed document, from the page of the map"),
    Payload("experiments.analyse.across.overlap_pairs.OVERLAP", "overlap", "Experiments that share users", "`GET /api/v1/overlaps/latest`"),
)  # fmt: skip
# Stored for one page of the site, and not exposed elsewhere.
INSIDE = (
    "aha.study.payload_versions.FINDING",
    "aha.study.headline.HEADLINE",
    "aha.study.headline.EVIDENCE_LINE",
    "segments.search.result.FITTED",
    "segments.published.drift.BASELINE",
    "insight_site.notify.digest_letters.RECORD",
    "insight_site.pages.landing.STORED",
)


# Thousands of field names, which would precede the pages that explain them.
OUT_OF_SEARCH = "---\nsearch: {exclude: true}\n---\n"


def pages() -> dict[str, str]:
    """A page for each kind, and an index of them."""
    listed = "\n".join(f"* [{one.title}]({one.slug}.md): {one.where}" for one in PAYLOADS)
    index = [
        "# JSON documents\n",
        made_of("the records that the code writes and reads"),
        "Numbers stand on the outcome's own scale: 0.01 is one point of a share. A number that can't be computed is "
        '`{"not_computable": "the reason in words"}` in its place, never 0, null or NaN. A result that is stored carries `schema`, '
        "the number of its shape; a later version of Insight upgrades it when it reads it.\n",
        "A document may gain fields; the ones it has keep their name and meaning within a version.\n",
        listed + "\n",
        "`analyze_file --json` and `analyze KEY --json` print a document of their own: [its fields](../../analyze_file.md).\n",
    ]
    return {"reference/payloads/index.md": "\n".join(index)} | {
        f"reference/payloads/{one.slug}.md": _page(one) for one in PAYLOADS
    }


class _Shapes(GenerateJsonSchema):
    """As pydantic makes them; the plan of an analysis, which is stored as one flat document, by a name."""

    def function_plain_schema(self, schema: Any) -> JsonSchemaValue:
        """A record with a reader of its own."""
        if schema["function"]["function"] is not analysed.from_document:
            return super().function_plain_schema(schema)
        return {"type": "Analysed"}


OWN = (
    "        prediction: the model by which a plan with `lin_predicted` adjusts; None without one.",
    "        definition: hash of everything in this document that decides a number.",
)


def _analysed() -> dict[str, Any]:
    """Shapes of the flat document of a plan (`analysed.to_document`), from the records that it is made of."""
    parts = [TypeAdapter(one).json_schema(mode="serialization") for one in (Plan, analysed.Arms, analysed.History)]
    left_out = analysed.LEFT_OUT | analysed.IN_OTHER_WORDS
    properties = {name: one for name, one in parts[0]["properties"].items() if name not in left_out}
    for part in parts[1:]:
        properties |= part["properties"]
    properties["prediction"] = {"anyOf": [{"$ref": "#/$defs/Predictor"}, {"type": "null"}]}
    properties["definition"] = {"type": "string"}
    said = [part["description"].partition("Attributes:\n")[2] for part in parts]
    shape = {
        "type": "object",
        "description": "The plan as the analysis used it.\n\nAttributes:\n" + "\n".join([*said, *OWN]),
        "properties": properties,
        "required": list(properties),
    }
    named: dict[str, Any] = {name: one for part in parts for name, one in part.get("$defs", {}).items()}
    predictor = TypeAdapter(Predictor).json_schema(mode="serialization")
    return {**named, **predictor.pop("$defs", {}), "Predictor": predictor, "Analysed": shape}


def _page(payload: Payload) -> str:
    found = import_string(payload.schema)
    record = import_string(payload.record) if payload.record else found.record
    schema = TypeAdapter(record).json_schema(mode="serialization", schema_generator=_Shapes)
    inherited = [(getdoc(base) or "").partition("Attributes:\n")[2] for base in record.__mro__[1:-1]]
    schema["description"] = "\n".join([schema.get("description", ""), *inherited])
    text = json.dumps(schema)
    if (here := json.dumps({"type": "Analysed"})[1:-1]) in text:
        schema = json.loads(text.replace(here, '"$ref": "#/$defs/Analysed"'))
        schema["$defs"] = _analysed() | schema["$defs"]
    named: Mapping[str, Any] = {one: inner for one, inner in schema.get("$defs", {}).items() if one != "NotComputable"}

    def link(name: str) -> str:
        if name == "NotComputable":
            return "not computable"
        inner = named[name]
        if "properties" in inner:
            return f"[{name}](#{name.lower()})"
        return shapes.kind(inner, link)

    parts = [
        OUT_OF_SEARCH,
        f"# {payload.title}\n",
        made_of(f"the record `{record.__name__}`"),
        f"Given by {payload.where}. Its shape has the number {found.number}.\n",
    ]
    parts.append(_fields(schema, link))
    parts += [f"## {name}\n\n{_fields(inner, link)}" for name, inner in sorted(named.items()) if "properties" in inner]
    return "\n".join(parts)


def _fields(schema: Mapping[str, Any], link: Any) -> str:
    said, meanings = shapes.attributes(schema.get("description", ""))
    return f"{said}\n\n{shapes.fields(schema, link, meanings)}" if said else shapes.fields(schema, link, meanings)
