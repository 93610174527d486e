"""Shared parts of all operations in the OpenAPI document: errors as problem+json, and `Idempotency-Key` on POST."""

from typing import Any

Json = dict[str, Any]
METHODS = ("get", "post", "patch", "put", "delete")
READING = {
    400: "Bad request: malformed, or a parameter is missing or invalid.",
    401: "No API key, or an invalid one.",
    403: "The key lacks the required scope or permission.",
    404: "The object doesn't exist.",
    406: "Only JSON responses are available.",
    409: "Refused; `detail` gives the reason.",
    414: "The URL is too long; rejected by the web server.",
    429: "Too many requests; retry after the time in Retry-After.",
    503: "The database is unavailable; retry later.",
}
WRITING = {
    411: "Content-Length is missing.",
    413: "The request body is too large.",
    415: "The content type isn't JSON.",
    422: "The Idempotency-Key was already used with another body.",
}
PROBLEM: Json = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "instance", "code", "request_id")},
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "detail")},
            },
        },
    },
}
IDEMPOTENCY: Json = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "Within 24 hours, repeating the key and body returns the first response and changes nothing.",
}


NULL = {"type": "null"}


def add_common(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """Hook of drf-spectacular: add the shared parts to every operation."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    described: dict[int, Json] = {
        status: {"description": text, "content": content} for status, text in (READING | WRITING).items()
    }
    described[414]["content"] = {"text/html": {"schema": {"type": "string"}}}
    components["responses"] = {f"Problem{status}": row for status, row in sorted(described.items())}
    for path in result["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                _complete(method, operation)
    schema: Json = _widened(result)
    return schema


def _widened(value: Any) -> Any:
    """Simplify "any JSON": drf-spectacular's "anything, or null, but not both" would forbid null."""
    if isinstance(value, list):
        return [_widened(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _widened(inner)
        for name, inner in value.items()
        if not (name == "oneOf" and {} in inner and NULL in inner)
    }


def _complete(method: str, operation: Json) -> None:
    for status in READING if method == "get" else {**READING, **WRITING}:
        operation["responses"].setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})
    if method == "post":
        operation.setdefault("parameters", []).append(IDEMPOTENCY)
