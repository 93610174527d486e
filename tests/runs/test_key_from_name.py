"""Keys of names in Hangul can be read; version 0.3 called each of them "experiment"."""

import pytest

from runs.models import key_from


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Guild invite, banner", "guild-invite-banner"),
        ("길드 초대 배너 테스트", "gildeu-chodae-baeneo-teseuteu"),
        ("D7 잔존율", "d7-janjonyul"),
        ("!!", "experiment"),
    ],
)
def test_key_from__any_script__is_latin_and_says_something(name: str, key: str) -> None:
    assert key_from(name, "experiment") == key
