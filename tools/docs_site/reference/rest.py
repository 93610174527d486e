"""Reference of the HTTP endpoints, from the OpenAPI files of docs/, as static pages without script."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.docs_site.reference import shapes
from tools.docs_site.reference.markdown import cell, code, made_of, table

type Schema = Mapping[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
# Pages by subject; a tag that isn't listed goes to the last one.
SUBJECTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("experiments", "Experiments", ("experiments", "layers", "holdouts", "holdout-plans", "overlaps", "findings", "calibration", "plan-templates", "review-items", "review-policy")),
    ("discovery", "Studies, moments and segments", ("studies", "moments", "segmentations", "segments", "segment-models", "units", "audiences")),
    ("metrics", "Metrics", ("metrics",)),
    ("site", "Site, people and notices", ()),
)  # fmt: skip
DOORS = (
    ("events", "Events in", "openapi-events.yaml"),
    ("ofrep", "OpenFeature (OFREP)", "openapi-ofrep.yaml"),
    ("growthbook", "GrowthBook's SDKs", "openapi-growthbook.yaml"),
)


def pages(root: Path) -> dict[str, str]:
    """A page for each subject of the API and each other endpoint, and an index of them."""
    whole = _read(root, "openapi.yaml")
    found = {f"reference/rest/{slug}.md": _subject(whole, slug, title) for slug, title, _ in SUBJECTS}
    for slug, title, name in DOORS:
        document = _read(root, name)
        lead = f"{document['info'].get('description', '')}\n\nThe same as a file: [{name}](../../{name}).\n"
        found[f"reference/rest/{slug}.md"] = _page(title, lead, document, list(_calls(document)), name)
    return found | {"reference/rest/index.md": _index(whole)}


def _read(root: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((root / "docs" / name).read_text("utf-8"), Loader=yaml.CSafeLoader)
    return document


def _index(whole: Schema) -> str:
    lists = [f"* [{title}]({slug}.md): {', '.join(_tags(whole, slug))}" for slug, title, _ in SUBJECTS] + [
        f"* [{title}]({slug}.md)" for slug, title, _ in DOORS
    ]
    problems = [
        (code(name.removeprefix("Problem")), cell(one.get("description", "")))
        for name, one in whole["components"]["responses"].items()
    ]
    problem = whole["components"]["schemas"]["Problem"]
    return "\n".join([
        "# REST\n",
        made_of("the OpenAPI documents"),
        "Every call needs a key in `Authorization: Bearer KEY` (or `X-API-Key`); what a key may do stands in "
        "[roles.md](../../roles.md). A running site shows the same at `/api/docs/`. As a file: [openapi.yaml](../../openapi.yaml).\n",
        *lists,
        "\n## Refusals\n",
        "A call that is refused changes nothing and answers `application/problem+json`:\n",
        shapes.fields(problem, lambda name: name),
        table(("status", "when"), problems),
    ])  # fmt: skip


def _tags(whole: Schema, slug: str) -> list[str]:
    return sorted({tag for _, _, operation in _calls(whole) for tag in operation.get("tags", ()) if _home(tag) == slug})


def _home(tag: str) -> str:
    return next((slug for slug, _, tags in SUBJECTS if tag in tags), SUBJECTS[-1][0])


def _subject(whole: Schema, slug: str, title: str) -> str:
    calls = [call for call in _calls(whole) if _home((call[2].get("tags") or [""])[0]) == slug]
    lead = "What is common to all calls: [REST](index.md).\n"
    return _page(title, lead, whole, calls, "openapi.yaml")


def _page(title: str, lead: str, document: Schema, calls: list[tuple[str, str, Schema]], name: str) -> str:
    used: dict[str, None] = {}

    def link(shape: str) -> str:
        used.setdefault(shape)
        inner = document["components"]["schemas"][shape]
        if "properties" in inner:
            return f"[{shape}](#{shape.lower()})"
        return shapes.kind(inner, link)

    parts = [_call(method, path, operation, document, link) for path, method, operation in calls]
    parts.append("## Shapes\n")
    done: set[str] = set()
    while left := [shape for shape in used if shape not in done]:
        for shape in left:  # each may refer to others
            done.add(shape)
            inner = document["components"]["schemas"][shape]
            if "properties" in inner:
                said = inner.get("description", "")
                parts.append(f"### {shape}\n\n{said}\n\n{shapes.fields(inner, link)}")
    if not any(part.startswith("### ") for part in parts[len(calls) + 1 :]):
        parts = parts[: len(calls)]
    return "\n".join([f"# {title}\n", made_of(f"`docs/{name}`"), lead, *parts])


def _calls(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                shared = operations.get("parameters", [])
                yield (
                    path,
                    method,
                    {**operations[method], "parameters": [*shared, *operations[method].get("parameters", [])]},
                )


def _call(method: str, path: str, operation: Schema, document: Schema, link: Any) -> str:
    parts = [f"## `{method.upper()} {path}`\n"]
    parts += [f"{text}\n" for text in (operation.get("summary"), operation.get("description")) if text]
    parameters = [_resolved(one, document) for one in operation["parameters"]]
    rows = [
        (code(one["name"]), one["in"], shapes.kind(one.get("schema", {}), link), cell(one.get("description", "")))
        for one in parameters
    ]
    parts.append(table(("parameter", "in", "type", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append(f"Body: {_content(_resolved(body, document), link)}\n")
    answers = []
    for status, answer in operation["responses"].items():
        whole = _resolved(answer, document)
        if "Problem" in answer.get("$ref", ""):
            continue
        answers.append((code(status), _content(whole, link), cell(whole.get("description", ""))))
    parts.append(table(("answer", "body", "meaning"), answers))
    problems = [status for status, answer in operation["responses"].items() if "Problem" in answer.get("$ref", "")]
    if problems:
        parts.append(f"Refusals: {', '.join(map(code, problems))}.\n")
    return "\n".join(parts)


def _resolved(one: Schema, document: Schema) -> Schema:
    """A parameter, body or response, resolved if it is a reference."""
    if "$ref" not in one:
        return one
    _, _, group, name = one["$ref"].split("/")
    found: Schema = document["components"][group][name]
    return found


def _content(whole: Schema, link: Any) -> str:
    kinds = [
        f"{shapes.kind(one.get('schema', {}), link)} ({code(name)})" for name, one in whole.get("content", {}).items()
    ]
    return " or ".join(kinds) or "none"
