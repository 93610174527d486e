"""Masks tokens and keys in log lines: Django logs the path of each failed request, and some paths hold secrets."""

import re

import structlog

SECRET = re.compile(
    r"(/shared/|/stop/|/api/features/|/api/eval/|/ofrep/v1/streams/|/password/[\w-]+/|/login/link/)[^/\s?]+"
)


def masked(_logger: object, _name: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
    """A structlog processor: removes the part of a path that follows a sensitive prefix."""
    return {name: SECRET.sub(r"\1…", value) if isinstance(value, str) else value for name, value in line.items()}
