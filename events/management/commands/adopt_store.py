"""`adopt_store`: make the event store this database's own."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.outbox import reconcile_after_restore
from events.store import ownership
from runs.terminal import refuse


class Command(BaseCommand):
    help = "Register the event store of EVENTS_URL with this database after a restore or a move. Stop the worker first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--yes",
            action="store_true",
            help="apply the change; without this option the command only reports the problem",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ownership.check_to_write()
            self.stdout.write(_("The event store %(place)s can be used as it is.") % {"place": ownership.place()})
        except ownership.StoreRefused as refusal:
            self.stdout.write(str(refusal))
        if not options["yes"]:
            self.stdout.write(
                _("Nothing was changed. With --yes this database owns the store, and others are refused.")
            )
            return
        try:
            waiting, known = reconcile_after_restore.adopt_store()
        except ownership.StoreRefused as refusal:
            refuse(refusal)
        self.stdout.write(
            _("The event store %(place)s is this database's own; %(count)s events wait for it.")
            % {"place": ownership.place(), "count": waiting}
        )
        if known:
            self.stdout.write(
                ngettext(
                    "%(count)s event that waited was in the store already, and waits no longer.",
                    "%(count)s events that waited were in the store already, and wait no longer.",
                    known,
                )
                % {"count": known}
            )
