"""The agents' server as agents meet it: a process of its own, the official client, bare requests, the inspector."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from tests.clients.server import ROOT
from tests.conftest import missing
from tests.insight_site.mcp.agent_site import AgentSite, call, served, with_client
from tests.insight_site.mcp.lock_attacks import ATTACKS
from tests.insight_site.mcp.worlds import INJECTED
from tests.loops import in_a_loop

pytestmark = pytest.mark.slow
INSPECTOR = ROOT / "tests/clients/node_modules/.bin/mcp-inspector"
SET_UP = "import json; from tests.insight_site.mcp.worlds import set_up; print(json.dumps(set_up()))"
TURN = "from tests.insight_site.mcp.worlds import turn; turn({})"
PEEKS = """
import json
from experiments.models import Analysis
from insight_site.models import AuditEntry
rows = AuditEntry.objects.filter(object_type="experiments.Analysis", action="created")
print(json.dumps({"analyses": list(Analysis.objects.filter(peek=True, status="queued").values_list("pk", flat=True)),
                  "log": list(rows.values("actor_kind", "actor", "object_id", "route", "after"))}, default=str))
"""
PING = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'
CHANGING = re.compile(r'"request_id": "[0-9a-f]+"|\\"request_id\\": \\"[0-9a-f]+\\"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentSite]:
    with served(tmp_path_factory.mktemp("agents")) as found:
        yield found


@pytest.fixture(scope="module")
def rows(site: AgentSite) -> dict[str, int]:
    found: dict[str, int] = site.run(SET_UP)
    return found


def attempted(site: AgentSite, rows: dict[str, int], key: str) -> dict[str, str]:
    """What every attack is answered, as text without what no two answers share."""

    async def ask(client: Client) -> dict[str, str]:
        found = {name: await attack(client, rows) for name, attack in ATTACKS.items()}
        return {name: CHANGING.sub("", json.dumps(answer, sort_keys=True)) for name, answer in found.items()}

    told: dict[str, str] = with_client(site, key, ask)
    return told


def test_outcome_lock__thirty_and_more_attempts__none_tells_one_world_from_another(
    site: AgentSite, rows: dict[str, int]
) -> None:
    first, open_first = attempted(site, rows, "reader"), call(site, "reader", "read_result", key="opened")
    peeked_first = call(site, "peeker", "read_result", key="peeked")

    site.run(TURN.format(1))
    second, open_second = attempted(site, rows, "reader"), call(site, "reader", "read_result", key="opened")
    peeked_second = call(site, "peeker", "read_result", key="peeked")
    site.run(TURN.format(0))

    assert len(ATTACKS) >= 30
    assert {name for name in ATTACKS if first[name] != second[name]} == set()
    # What the comparison would see: an open outcome differs, and a peek for who may peek.
    assert open_first["document"]["report"] != open_second["document"]["report"]
    assert peeked_first["document"]["report"] != peeked_second["document"]["report"]


def test_outcome_lock__locked_result__says_why_and_nothing_else(site: AgentSite, rows: dict[str, int]) -> None:
    found = call(site, "reader", "read_result", key="locked")

    assert (found["locked"], found["verdict"], found["document"], found["state"]) == (True, None, None, "pending")
    assert found["state_reason"]


def test_injected_words__are_data_in_a_field__and_in_no_other_text(site: AgentSite, rows: dict[str, int]) -> None:
    async def ask(client: Client) -> Any:
        return await client.call_tool("read_experiment", {"key": "locked"}), await client.list_tools()

    answer, tools = with_client(site, "reader", ask)

    assert answer.structured_content["hypothesis"] == INJECTED
    assert json.loads(answer.content[0].text) == answer.structured_content
    assert INJECTED not in json.dumps(tools.model_dump(mode="json"))


def test_peek__with_the_scope__is_asked_for_and_stands_in_the_log_with_the_agents_name(
    site: AgentSite, rows: dict[str, int]
) -> None:
    before = site.run(PEEKS)
    asked = [call(site, "peeker", "peek_at_outcome", key=key) for key in ("locked", "after")]

    found = site.run(PEEKS)
    logged = [row for row in found["log"] if row not in before["log"]]

    assert [row["peek"] for row in asked] == [True, True]
    assert sorted(found["analyses"]) == sorted(row["id"] for row in asked)
    assert sorted(int(row["object_id"]) for row in logged) == sorted(found["analyses"])
    assert {row["after"]["peek"] for row in logged} == {True}
    assert {row["route"] for row in logged} == {"agent peek_at_outcome: POST experiments_api:analyses"}
    assert all(row["actor_kind"] == "key" and row["actor"].startswith("agent peeker (sk_") for row in logged)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_client_over_http__of_each_protocol__lists_and_calls(site: AgentSite, mode: str) -> None:
    async def ask(client: Client) -> Any:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        page = await client.read_resource("insight://docs/agents/SKILL.md")
        return (
            tools,
            prompts,
            page.contents[0].model_dump()["text"],
            await client.call_tool("search_docs", {"query": "breakdown"}),
        )

    tools, prompts, page, found = with_client(site, "reader", ask, mode)

    assert {"list_studies", "read_health", "check_plan", "search_docs"} <= tools.keys()
    assert not {"draft_experiment", "start_study", "peek_at_outcome"} & tools.keys()
    assert tools["read_result"].annotations.read_only_hint
    assert prompts == ["find_our_aha_moment", "review_this_plan"]
    assert page.startswith("---\nname: insight")
    assert found.structured_content["results"][0]["page"].endswith(".md")
    assert not found.is_error


def test_client_over_stdio__with_a_key_in_the_environment__acts_as_that_key(site: AgentSite) -> None:
    environment = {**site.environment, "INSIGHT_AGENT_KEY": site.keys["drafter"]}
    command = StdioServerParameters(
        command=sys.executable, args=["manage.py", "mcp", "--stdio"], cwd=ROOT, env=environment
    )
    draft = {"key": "by-stdio", "hypothesis": "x", "variants": [{"key": "control", "value": "a", "weight": 10_000}]}

    async def run() -> Any:
        with open(os.devnull, "w") as silent:
            async with Client(stdio_client(command, errlog=silent)) as client:
                tools = {tool.name for tool in (await client.list_tools()).tools}
                return tools, await client.call_tool("draft_experiment", draft)

    tools, made = in_a_loop(run)

    assert "start_study" in tools
    assert "peek_at_outcome" not in tools
    assert made.structured_content["drafted_by_agent"] == "agent drafter"


def test_client_over_stdio__with_a_revoked_key__is_refused(site: AgentSite) -> None:
    environment = {**site.environment, "INSIGHT_AGENT_KEY": "sk_" + "x" * 43}
    command = StdioServerParameters(
        command=sys.executable, args=["manage.py", "mcp", "--stdio"], cwd=ROOT, env=environment
    )

    async def run() -> Any:
        with open(os.devnull, "w") as silent:
            async with Client(stdio_client(command, errlog=silent)) as client:
                await client.list_tools()

    with pytest.raises(BaseException) as refused:
        in_a_loop(run)

    assert "refused with 401" in str(found_in(refused.value))


def found_in(error: BaseException) -> BaseException:
    """The error of the protocol inside groups of errors."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, MCPError)
    return error


@pytest.mark.parametrize(
    ("body", "key", "headers", "status"),
    [
        (PING, None, {}, 401),
        (PING, "sk_" + "x" * 43, {}, 401),
        (PING, "stranger", {}, 403),  # a key without the scope
        (PING, "reader", {"Origin": "https://evil.example"}, 403),
        (PING, "reader", {"Host": "evil.example"}, 421),
        (b"x" * (1024 * 1024 + 1), "reader", {}, 413),
        (b"{", "reader", {}, 400),
    ],
)
def test_door__of_what_may_not_come_in__says_so_in_a_status(
    site: AgentSite, body: bytes, key: str | None, headers: dict[str, str], status: int
) -> None:
    answer = site.post(body, key=key, **headers)

    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_door__body_in_pieces_beyond_the_limit__is_refused(site: AgentSite) -> None:
    answer = site.post(iter([b" " * 700_000, b" " * 700_000]))

    assert answer.status_code == 413


def test_inspector__in_its_cli_mode__lists_and_calls(site: AgentSite, rows: dict[str, int]) -> None:
    if not INSPECTOR.exists() or shutil.which("node") is None:
        missing("the inspector of MCP")

    listed = inspected(site, "--method", "tools/list")
    called = inspected(site, "--method", "tools/call", "--tool-name", "read_result", "--tool-arg", "key=locked")

    assert "read_health" in [tool["name"] for tool in listed["tools"]]
    assert called["structuredContent"]["locked"] is True


def inspected(site: AgentSite, *arguments: str) -> Any:
    """What the inspector prints, over standard input: its own version speaks no header over HTTP in this mode."""
    environment = {**site.environment, "INSIGHT_AGENT_KEY": site.keys["reader"], "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [INSPECTOR, "--cli", sys.executable, str(ROOT / "manage.py"), "mcp", "--stdio", *arguments],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return json.loads(done.stdout)


def test_log_of_the_server__holds_no_key_and_no_trace(site: AgentSite, rows: dict[str, int]) -> None:
    call(site, "reader", "read_result", key="opened")
    text = Path(site.log).read_text()

    assert "agent.tool" in text
    assert "Traceback" not in text
    assert not [key for key in site.keys.values() if key in text]
