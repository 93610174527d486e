"""`bootstrap`: create the first administrator of an empty site."""

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from insight_site import bootstrap
from runs.refusals import Refused
from runs.terminal import refuse, write_json


class Command(BaseCommand):
    help = (
        "Make the first administrator of an empty site, with a password from a file, or a link to choose one. "
        "On request also a source with a key. A second call makes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--email", help="e-mail address and username of the administrator; default BOOTSTRAP_ADMIN_EMAIL"
        )
        parser.add_argument(
            "--password-file",
            help="a file with the password; default BOOTSTRAP_ADMIN_PASSWORD_FILE; without any a link is printed",
        )
        parser.add_argument(
            "--address", help="address of this site, for the link; default from ALLOWED_HOSTS and HTTPS"
        )
        parser.add_argument("--source", default="", help="also make a source of this name and its key")
        parser.add_argument("--key-kind", choices=("server", "client"), default="server", help="scopes of that key")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create what is missing and print it; secrets appear only in this output."""
        try:
            made = bootstrap.bootstrap(
                email=options["email"] or os.environ.get("BOOTSTRAP_ADMIN_EMAIL", ""),
                password=_password(options["password_file"] or os.environ.get("BOOTSTRAP_ADMIN_PASSWORD_FILE", "")),
                address=options["address"] or _address(),
                source=options["source"],
                kind=options["key_kind"],
            )
        except Refused as refusal:
            refuse(refusal)
        if options["json"]:
            write_json(self.stdout, made.as_json())
        else:
            self.stdout.write("\n".join(_lines(made)))


def _lines(made: bootstrap.FirstStart) -> list[str]:
    lines = [f"administrator: {made.administrator}"] if made.administrator else []
    if made.administrator and not settings.LOCAL_PASSWORDS:
        lines += ["This site has no passwords: log in through your provider, under the same address."]
    if made.link:
        lines += ["Whoever opens this link first chooses the password. It works once, for a day:", made.link]
    if made.key:
        lines += [f"source: {made.source}", f"key, shown only now: {made.key}"]
    return lines or ["Everything is there already; nothing was changed."]


def _password(path: str) -> str | None:
    if not path:
        return None
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Refused("{path} can't be read.", at="password-file", path=path) from None
    return text.rstrip("\r\n")


def _address() -> str:
    hosts = [host for host in settings.ALLOWED_HOSTS if host != "*"]
    return f"{'https' if settings.HTTPS else 'http'}://{hosts[0].lstrip('.') if hosts else 'localhost'}"
