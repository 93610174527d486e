"""Who an agent is: the key that it came with, whether it may, and what a tool refuses it with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from events.schema import Caller
from insight_site.access.permissions import Rule

# Every tool needs the scope of the door; those that change something, or see more, ask for one more.
DOOR = Rule("agents", "reports:read", ("POST",))


@dataclass(frozen=True)
class AgentCaller:
    """An agent that may come in.

    Attributes:
        caller: what its key says. The name that people gave the key is the agent's name.
        address: where the call comes from.
        request_id: of the call; log lines and the audit log carry it.
    """

    caller: Caller
    address: str
    request_id: str

    @property
    def name(self) -> str:
        """The agent's name, as the audit log and the plans that it drafts show it."""
        return self.caller.key_name or self.caller.key_prefix


class ToolRefusal(Exception):  # noqa: N818 - named as `runs.refusals.Refused` is
    """A tool says no. `problem` is what the agent is told: JSON as REST says it (RFC 9457), with a sentence."""

    def __init__(self, code: str, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = {"code": code, "detail": detail, **(problem or {})}
