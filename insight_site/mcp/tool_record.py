"""What a tool is: its name and words, what it takes, what it asks of a key, and the function that answers. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from insight_site.mcp.agent_caller import AgentCaller

Json = dict[str, Any]


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool: who, which, and with what; absent arguments read as None."""

    who: AgentCaller
    tool: str
    arguments: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arguments.get(name)

    def may(self, scope: str) -> bool:
        """Whether the agent's key has this scope."""
        return self.who.caller.may(scope)


@dataclass(frozen=True)
class AgentTool:
    """One tool.

    Attributes:
        name: as agents call it.
        title: as people read it in their agent's list.
        description: what it does, what it costs, and how to read its answer.
        run: the answer, an object of JSON; raises `ToolRefusal` or `Refused`.
        takes: JSON schemas of its arguments.
        needs: names of those that must be there.
        scope: that the key needs beside the door's own; "" for none.
        changes: it writes something.
    """

    name: str
    title: str
    description: str
    run: Callable[[ToolCall], Json]
    takes: Mapping[str, Json] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    scope: str = ""
    changes: bool = False

    @property
    def schema(self) -> Json:
        """JSON schema of all arguments; what it doesn't name is refused."""
        return {
            "type": "object",
            "properties": dict(self.takes),
            "required": list(self.needs),
            "additionalProperties": False,
        }


def text(about: str, longest: int = 400) -> Json:
    """An argument that is a text."""
    return {"type": "string", "maxLength": longest, "description": about}


def texts(about: str, most: int = 50, longest: int = 400) -> Json:
    """An argument that is a list of texts."""
    return {"type": "array", "items": {"type": "string", "maxLength": longest}, "maxItems": most, "description": about}


def whole(about: str, least: int = 0) -> Json:
    """An argument that is a whole number."""
    return {"type": "integer", "minimum": least, "maximum": 2**53, "description": about}


def number(about: str) -> Json:
    """An argument that is a number."""
    return {"type": "number", "description": about}


def one_of(about: str, *values: str) -> Json:
    """An argument that is one of these words."""
    return {"type": "string", "enum": list(values), "description": about}


def flag(about: str) -> Json:
    """An argument that is true or false."""
    return {"type": "boolean", "description": about}


PAGE = {"page": text("next_page of the answer before; leave it out for the first page", 500)}


def paging(asked: ToolCall) -> Json:
    """The page that is asked for: lists that grow have cursors, the others numbers."""
    page = asked["page"] or ""
    return {"page" if page.isdecimal() else "cursor": page}
