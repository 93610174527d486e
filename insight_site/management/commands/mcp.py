"""`mcp`: serve agents over HTTP, or over standard input for one agent on this machine. docs/agents.md."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

KEY = "INSIGHT_AGENT_KEY"


class Command(BaseCommand):
    help = (
        "Serve agents over the Model Context Protocol: --http HOST:PORT for several, each with its own key; --stdio "
        f"for one, with its key in {KEY}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument("--http", metavar="HOST:PORT", help="address to serve /mcp on, for example 127.0.0.1:8765")
        group.add_argument("--stdio", action="store_true", help=f"serve one agent over stdio, with its key in {KEY}")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stdio"]:
            _serve_one()
        else:
            _serve_many(options["http"])


def _serve_many(where: str) -> None:
    import uvicorn  # noqa: PLC0415 - a second, which `manage.py help` need not wait for

    from insight_site.agents.agent_server import agents_app  # noqa: PLC0415
    from insight_site.patient_uvicorn import PatientProtocol  # noqa: PLC0415

    host, separator, port = where.rpartition(":")
    if not separator or not host or not port.isdecimal() or int(port) > 65_535:
        raise CommandError(
            _("--http: '{where}' isn't HOST:PORT, such as 127.0.0.1:8765.").format(where=where), returncode=2
        )
    uvicorn.run(
        agents_app(),
        host=host.strip("[]"),
        port=int(port),
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the site's own settings decide whether a proxy is trusted
        log_level="warning",
        http=PatientProtocol,
        timeout_graceful_shutdown=10,
    )


def _serve_one() -> None:
    import anyio  # noqa: PLC0415

    from insight_site.agents.agent_server import serve  # noqa: PLC0415

    key = os.environ.pop(KEY, "")  # child processes must not inherit it
    if not key:
        raise CommandError(_("--stdio needs the agent's key in {name}.").format(name=KEY), returncode=2)
    anyio.run(serve, key)
