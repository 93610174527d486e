"""`event_streams`: serve the event streams of OFREP until a signal ends it (docs/event_streams.md)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _


class Command(BaseCommand):
    help = "Serve the event streams that notify browsers and services of changes, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--bind", default="127.0.0.1:8001", metavar="HOST:PORT", help="address and port to listen on"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve, and exit with code 0 after a signal."""
        host, _colon, port = options["bind"].rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65_536:
            raise CommandError(_("Write --bind as HOST:PORT, such as 127.0.0.1:8001."), returncode=2)
        from insight_site.machine.stream_server import StreamServer  # noqa: PLC0415 - web and worker need no ASGI server

        try:
            StreamServer().run(host.strip("[]"), int(port))
        except OSError as trouble:
            said = _("Nothing can listen on {place}: {trouble}")
            raise CommandError(said.format(place=options["bind"], trouble=trouble.strerror), returncode=2) from None
