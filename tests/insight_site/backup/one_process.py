"""Several commands of an operator one after the other in one process: to start each anew takes seconds.

`python -m tests.insight_site.backup.one_process STEPS`, a JSON list: a command with its arguments, `accept` with ids,
`worker` to leave the sign of one that lives, or `refused` before a command. Prints a JSON list of what each said.
"""

import io
import json
import sys
from typing import Any

import django
import pytest


def step(name: str, *arguments: str) -> Any:
    """What one of them says: a command's JSON, or the sentence of its refusal."""
    from django.core.management import CommandError, call_command
    from django.utils import timezone

    from runs.queue.status import sign

    if name == "accept":
        return accept(arguments)
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


if __name__ == "__main__":
    django.setup()
    print(json.dumps([step(*one) for one in json.loads(sys.argv[1])]))
