"""Devices by the line that browsers send."""

import pytest

from insight_site.signin.sign_in_record import device_of

CHROME = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
)


@pytest.mark.parametrize(
    ("line", "device"),
    [
        (CHROME, "Chrome, macOS"),
        (f"{CHROME} Edg/140.0", "Edge, macOS"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari, iPhone"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "–"),
    ],
)
def test_device(line: str, device: str) -> None:
    assert device_of(line) == device
