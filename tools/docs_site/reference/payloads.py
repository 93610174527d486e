"""Reference of stored results as JSON in REST, from the records that pydantic serialises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string
from pydantic import TypeAdapter

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
    """

    schema: str
    slug: str
    title: str
    where: str


PAYLOADS = (
    Payload("experiments.analyse.payload_versions.READOUT", "analysis", "Analysis of an experiment", "`readout` of `GET /api/v1/experiments/{key}/analyses/{id}`"),
    Payload("aha.study.payload_versions.STUDY", "study", "Study", "`report` of `GET /api/v1/studies/{id}`"),
    Payload("aha.study.payload_versions.EVIDENCE", "evidence", "Evidence of a moment", "`evidence` of `GET /api/v1/moments/{key}`"),
    Payload("aha.moments.reach.WEEKS", "reach", "Weekly reach of a moment", "`reach` of `GET /api/v1/moments/{key}`"),
    Payload("segments.search.payload_versions.SEGMENTATION", "segmentation", "Segmentation", "`report` of `GET /api/v1/segmentations/{id}`"),
    Payload("segments.search.payload_versions.PROFILE", "profile", "Profile of a segment", "`profile` of `GET /api/v1/segments/{id}`"),
    Payload("segments.published.drift.COMPARISON", "comparison", "Comparison of two segments", "the page of the comparison"),
    Payload("segments.published.drift.DRIFT", "drift", "Drift of published segments", "the page of a segment model"),
    Payload("segments.churn.model.CHURN", "churn", "Churn model", "the page of the churn model"),
    Payload("events.importing.import_report.IMPORT", "import", "Import of a file", "the page of the import, `import_events --json`"),
    Payload("events.metric_catalogue.check_report.CHECK", "metric-check", "Check of a metric on its past", "`report` of `GET /api/v1/metrics/{key}/checks`"),
    Payload("insight_site.selftest.selftest_payloads.SELF_TEST", "self-test", "Self-test", "the page of the self-test, `selftest --json`"),
    Payload("experiments.analyse.holdout_report.holdout_payloads.HOLDOUT", "holdout-report", "Holdout report", "`report` of `GET /api/v1/holdout-plans/{id}/readings/{reading}`"),
    Payload("experiments.analyse.overlap.overlap_payloads.OVERLAP", "overlap", "Experiments that share users", "`GET /api/v1/overlaps/latest`"),
)  # fmt: skip
# Stored for one page of the site, and not exposed elsewhere.
INSIDE = (
    "aha.study.payload_versions.FINDING",
    "aha.study.headline.HEADLINE",
    "aha.study.headline.EVIDENCE_LINE",
    "segments.search.payload_versions.FITTED",
    "segments.published.drift.BASELINE",
    "insight_site.notices.digest.digest_record.RECORD",
    "insight_site.pages.retention_tiles.STORED",
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


def _page(payload: Payload) -> str:
    found = import_string(payload.schema)
    schema = TypeAdapter(found.record).json_schema(mode="serialization")
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
        made_of(f"the record `{found.record.__name__}`"),
        f"Given by {payload.where}. Its shape has the number {found.number}.\n",
    ]
    parts.append(_fields(schema, link))
    parts += [f"## {name}\n\n{_fields(inner, link)}" for name, inner in sorted(named.items()) if "properties" in inner]
    return "\n".join(parts)


def _fields(schema: Mapping[str, Any], link: Any) -> str:
    said, meanings = shapes.attributes(schema.get("description", ""))
    return f"{said}\n\n{shapes.fields(schema, link, meanings)}" if said else shapes.fields(schema, link, meanings)
