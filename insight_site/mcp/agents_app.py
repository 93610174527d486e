"""The agents' server as an ASGI application: `agents_app()` can be served alone or mounted beside others.

Each message is a POST of its own and no session is kept, so that any number of processes may serve. Bodies are read
here within bounds, before anything is asked.
"""

import logging
from functools import partial
from typing import Any, cast

import anyio
from django.http import HttpResponse
from mcp.server.context import ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from insight_site.access.permissions import MANAGEMENT_BYTES
from insight_site.mcp.agent_caller import AgentCaller
from insight_site.mcp.agent_door import let_in
from insight_site.mcp.agent_server import agent_server
from insight_site.mcp.off_the_loop import in_thread

PATH = "/mcp"
ALIVE = "/healthz"
MOST_BYTES = MANAGEMENT_BYTES
BODY_SECONDS = 10.0
MOST_REQUESTS = 100  # at once; /healthz is answered beyond it
AGENT = "insight.agent"


def agents_app(path: str = PATH) -> ASGIApp:
    """The application; `path` is the address of its one door. It needs its lifespan run."""
    logging.getLogger("mcp").setLevel(logging.ERROR)  # its lines quote what strangers send
    # Host and origin are asked at our own door, which knows ALLOWED_HOSTS and the keys' origins.
    elsewhere = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    inner = agent_server(_agent_of).streamable_http_app(
        streamable_http_path=path,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MOST_BYTES,
        transport_security=elsewhere,
    )

    places = anyio.Semaphore(MOST_REQUESTS)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
        elif scope["path"] == ALIVE:
            await JSONResponse({"status": "ok"})(scope, receive, send)
        elif places.value == 0:
            await Response(status_code=503, headers={"Retry-After": "2"})(scope, receive, send)
        else:
            async with places:
                await answer(scope, receive, send)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if isinstance(body, int):
            await Response(status_code=body)(scope, receive, send)
            return
        found = await in_thread(partial(let_in, scope, body))
        if isinstance(found, HttpResponse):
            await _as_asgi(found)(scope, receive, send)
            return
        await inner({**scope, AGENT: found}, _replayed(body, receive), send)

    return app


def _agent_of(context: ServerRequestContext[Any, Any]) -> AgentCaller:
    """Whom the door has let in with this message."""
    return cast(AgentCaller, context.request.scope[AGENT])  # type: ignore[union-attr]


async def _body(receive: Receive) -> bytes | int:
    """The body, or the status that refuses it: too large, too slow, gone."""
    read = bytearray()
    with anyio.move_on_after(BODY_SECONDS):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return 400
            read += message.get("body", b"")
            if len(read) > MOST_BYTES:
                return 413
            if not message.get("more_body", False):
                return bytes(read)
    return 408


def _replayed(body: bytes, receive: Receive) -> Receive:
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


def _as_asgi(found: HttpResponse) -> Response:
    return Response(found.content, found.status_code, dict(found.items()))
