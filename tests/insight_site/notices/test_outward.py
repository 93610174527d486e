"""Addresses that people enter: which services, which parameters, where to; and what is never logged."""

import logging
import os
import socket
import subprocess
from typing import Any

import pytest

from experiments.webhook_messages import Undelivered
from insight_site.notify.send_safely import _Guard, check_address, send
from runs.refusals import Refused
from tests.insight_site.notices.make import configure
from tests.insight_site.notices.places import mail_server, receiver

ALLOWED = {
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#team": "Slack",
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": "Slack",
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js": "Discord",
    "https://discord.com/api/webhooks/417421629876/JHMHI8qBe7bk2ZwO5U711o3dV_js": "Discord",
    "https://prod-1.westus.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/invoke"
    "?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu": "Microsoft Teams, "
    "prod-1.westus.logic.azure.com",
    "tgram://123456789:abcdefg_hijklmnop/1234": "Telegram",
    "gchat://space/key/token": "Google Chat",
    "jsons://hooks.example.com/x": "JSON, hooks.example.com",
    "mailtos://u:p@example.com": "e-mail, example.com",
    "ntfys://ntfy.example.org/topic": "ntfy, ntfy.example.org",
    "mmosts://chat.example.com/3ccdd113474722377935511fc85d3dd4": "Mattermost, chat.example.com",
    "matrixs://u:p@example.org/#room": "Matrix, example.org",
}
REFUSED = (
    "syslog://",
    "dbus://",
    "qt://",
    "glib://",
    "gnome://",
    "windows://",
    "macosx://",
    "smpp://u:p@10.0.0.1/+4912345678",
    "mqtt://10.0.0.1/t",
    "rsyslog://10.0.0.1",
    "kodi://10.0.0.1",
    "file:///etc/passwd",
    "exec://ls",
    "json://hooks.example.com/x",
    "mailto://u:p@example.com",
    "https://example.com/x",
    "http://hooks.example.com/",
    "jsons://hooks.example.com/x?verify=no",
    "jsons://hooks.example.com/x?redirect=yes",
    "jsons://hooks.example.com/x?+Authorization=a",
    "jsons://hooks.example.com/x?method=GET",
    "workflows://h.example.com/a/b/?template=/etc/passwd",
    "mailtos://u:p@example.com?pgp=yes&pgpkey=/etc/passwd",
    "jsons://hooks.example.com/\nx",
    "jsons://hööks.example.com/",
    "jsons://",
    "nothing",
    "",
)


@pytest.mark.parametrize("url", ALLOWED)
def test_allowed__says_the_service_and_no_secret(url: str) -> None:
    found = check_address(url)

    assert found.service == ALLOWED[url]
    assert found.url == url


@pytest.mark.parametrize("url", REFUSED)
def test_refused__says_why_and_not_the_address(url: str) -> None:
    with pytest.raises(Refused) as caught:
        check_address(url)

    assert "passwd" not in str(caught.value)
    assert "u:p" not in str(caught.value)


def test_every_service_that_runs_something_here__is_refused() -> None:
    """Whatever Apprise learns to speak to: what it says of itself is local, or is not in our list, is refused."""
    from apprise import Apprise

    known = {
        str(s)
        for one in Apprise().details()["schemas"]
        for s in [*(one["protocols"] or ()), *(one["secure_protocols"] or ())]
    }
    assert len(known) > 150
    taken = set()
    for scheme in known:
        try:
            check_address(f"{scheme}://u:p@host.example.com/a/b")
        except Refused:
            continue
        taken.add(scheme)
    assert taken <= {
        "matrixs",
        "mailtos",
        "jsons",
        "forms",
        "xmls",
        "ntfys",
        "workflow",
        "workflows",
        "mmosts",
        "zulip",
        "gchat",
        "slack",
        "discord",
        "tgram",
        "webex",
        "wxteams",
        "rockets",
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_private_address__is_never_connected_to(host: str) -> None:
    with pytest.raises(Refused, match="isn't public"):
        send(f"jsons://{host}:9/x", title="t", text="x")


def test_a_mail_server_in_the_network__is_not_reached(settings: Any) -> None:
    with mail_server(settings) as mails, pytest.raises(Refused, match="isn't public"):
        send(f"mailtos://u:p@localhost:{mails.port}?to=a@example.com&from=b@example.com", title="t", text="x")

    assert mails.letters == []


def test_a_name_that_leads_into_the_network__is_seen_at_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose second look-up answers something else gets no further: nobody's look-up is asked but this one."""
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: inside)

    with pytest.raises(Refused, match="isn't public"):
        send("jsons://hooks.example.com/x", title="t", text="x")


def test_a_redirect__is_not_followed(settings: Any) -> None:
    configure(settings, private=True)
    with receiver() as inner, receiver() as hook:
        hook.leads_to = f"http://127.0.0.1:{inner.server_port}/metadata"
        with pytest.raises(Undelivered):
            send(hook.url, title="t", text="x")

    assert (len(hook.asked), inner.asked) == (1, [])


def test_where_the_network_is_trusted__it_arrives__and_a_refusal_is_told(settings: Any) -> None:
    configure(settings, private=True)
    with receiver() as hook:
        send(hook.url, title="Title", text="Text")
        hook.status = 500
        with pytest.raises(Undelivered, match="did not take it"):
            send(hook.url, title="Title", text="Text")

    assert [(body["title"], body["message"]) for body in hook.bodies] == [("Title", "Text")] * 2


def test_the_guard__this_thread_alone__no_program_no_other_socket() -> None:
    guard = _Guard(lambda _ip: False)
    with guard:
        with pytest.raises(PermissionError):
            socket.create_connection(("127.0.0.1", 9), timeout=1)
        with pytest.raises(PermissionError):
            subprocess.run(["true"], check=False)
        with pytest.raises(PermissionError):
            os.system("true")
        with pytest.raises(PermissionError):
            socket.socket(socket.AF_UNIX).connect("/run/nothing")
    assert guard.refused
    subprocess.run(["true"], check=True)


def test_secrets__never_reach_the_log(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    configure(settings, private=True)
    caplog.set_level(logging.DEBUG)
    with receiver() as hook:
        send(hook.url, title="t", text="x")
        hook.status = 500
        with pytest.raises(Undelivered) as caught:
            send(hook.url, title="t", text="x")
    with pytest.raises(Refused):
        send("slack://5ecret", title="t", text="x")

    assert "5ecret" not in caplog.text + str(caught.value)
