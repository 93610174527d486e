"""Several commands of an operator one after the other in one process: to start each anew takes seconds.

`python -m tests.insight_site.backup.one_process FOLDER STEPS`, a JSON list: a command with its arguments, `accept` with
ids, `sources` with a number of them, `worker` to leave the sign of one that lives, or `refused` before a command. It
prints a JSON list of what each said. The tables of a restore are those kept in the folder: see `kept_tables`.
"""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import django
import pytest

from tests.insight_site.backup.kept_tables import keep_in


def step(name: str, *arguments: str) -> Any:
    """What one of them says: a command's JSON, or the sentence of its refusal."""
    from django.core.management import CommandError, call_command
    from django.utils import timezone

    from runs.queue.status import sign

    if name == "accept":
        return accept(arguments)
    if name == "sources":
        return sources(int(arguments[0]))
    if name == "worker":
        return sign("w:1", timezone.now())
    if name == "migrate":
        return call_command(name, *arguments, verbosity=0)
    if name == "refused":
        with pytest.raises(CommandError) as caught:
            call_command(*arguments, stdout=io.StringIO())
        assert caught.value.returncode == 2
        return str(caught.value)
    out = io.StringIO()
    call_command(name, *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def accept(ids: tuple[str, ...]) -> None:
    """Accept an event of each id, as a server's key would send it."""
    from django.utils import timezone

    from events.models import Source
    from events.outbox.accept import accept_events

    source = Source.objects.get_or_create(name="app")[0]
    events: list[Any] = [{"type": "track", "event": "e", "userId": "u", "messageId": one} for one in ids]
    accept_events(source_id=source.pk, key_kind="server", events=events, received_at=timezone.now())


def sources(number: int) -> int:
    """Create so many sources and delete the last two of all; the number of rows that went."""
    from events.models import Source

    Source.objects.bulk_create(Source(name=f"{n}{'-' * 60}") for n in range(number))
    return Source.objects.filter(pk__gt=number - 1).delete()[0]


if __name__ == "__main__":
    django.setup()
    keep_in(Path(sys.argv[1]))
    print(json.dumps([step(*one) for one in json.loads(sys.argv[2])]), flush=True)
    os._exit(0)  # all is said: at the interpreter's end a library's thread that still runs would abort the process
