import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.schema import Sender, mark_of, marked, prefix_of, sender_of, unmarked


@pytest.mark.parametrize(
    ("message_id", "sender"),
    [
        ("7:c:order-1", Sender(7, "client")),
        ("7:s:order-1", Sender(7, "server")),
        ("7:order-1", Sender(7, "server")),  # 0.3
        ("7:", Sender(7, "server")),
        ("assignment:abc", Sender(None, "insight")),
        ("assignment:~00c0ffee:abc", Sender(None, "insight")),
        ("7:c:~00c0ffee:order-1", Sender(7, "client")),
        ("assignment", Sender(None, "file")),
        ("d41d8cd98f00b204e9800998ecf8427e-1", Sender(None, "file")),
        ("order:1", Sender(None, "file")),
        (None, Sender(None, "file")),
    ],
)
def test_reads_the_sender_from_the_prefix(message_id: str | None, sender: Sender) -> None:
    assert sender_of(message_id) == sender


@given(st.integers(1, 10**9), st.sampled_from(["client", "server", "admin"]), st.text(max_size=99))
def test_no_id_of_a_sender_makes_it_another(source: int, kind: str, id_: str) -> None:
    assert sender_of(f"{prefix_of(source, kind)}:{id_}") == Sender(source, "client" if kind == "client" else "server")


@given(st.integers(1, 10**9), st.sampled_from(["client", "server"]), st.text(max_size=99))
def test_mark__is_ours_whatever_the_sender_writes__and_no_part_of_what_repeats_are_known_by(
    source: int, kind: str, id_: str
) -> None:
    begins = f"{prefix_of(source, kind)}:"
    if kind == "client":
        assert mark_of(f"{begins}{marked('00c0ffee')}{id_}") == "00c0ffee"
        assert unmarked(f"{begins}{marked('00c0ffee')}{id_}") == f"{begins}{id_}"
    else:
        assert mark_of(f"{begins}{id_}") == ""
        assert unmarked(f"{begins}{id_}") == f"{begins}{id_}"
