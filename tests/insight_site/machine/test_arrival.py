"""How much of a request is here: the table that decides whether a thread may take it."""

import pytest

from insight_site.machine.arrival import HEAD_BYTES, HELD_BYTES, Arrived, Held, arrived

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v1/batch HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CASES = {
    "nothing": (b"", Arrived.PART),
    "half a line": (b"GET / HT", Arrived.PART),
    "a head without its end": (GET[:-2], Arrived.PART),
    "a head": (GET, Arrived.WHOLE),
    "two requests": (GET + GET, Arrived.WHOLE),
    "a body of no bytes": (POST + b"Content-Length: 0\r\n\r\n", Arrived.WHOLE),
    "a body that misses a byte": (POST + b"Content-Length: 3\r\n\r\n{}", Arrived.PART),
    "a body": (POST + b"content-length:2\r\n\r\n{}", Arrived.WHOLE),
    "a body and more": (POST + b"Content-Length: 2\r\n\r\n{}GET", Arrived.WHOLE),
    "the largest that is held": (POST + b"Content-Length: %d\r\n\r\n" % HELD_BYTES, Arrived.PART),
    "one byte more": (POST + b"Content-Length: %d\r\n\r\n" % (HELD_BYTES + 1), Arrived.LARGE),
    "a length of 4,500 digits": (POST + b"Content-Length: " + b"9" * 4_500 + b"\r\n\r\n", Arrived.LARGE),
    "a length that is none": (POST + b"Content-Length: -1\r\n\r\n", Arrived.WHOLE),
    "a length in the body alone": (POST + b"A: b\r\n\r\nContent-Length: 9\r\n\r\n", Arrived.WHOLE),
    "chunks without an end": (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", Arrived.PART),
    "chunks that have not begun": (POST + b"Transfer-Encoding: chunked\r\n\r\n", Arrived.PART),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Arrived.WHOLE),
    "chunks with trailers": (CHUNKED + b"1;b=c\r\na\r\n0;b=c\r\nA: b\r\n\r\n", Arrived.WHOLE),
    "chunks whose trailers have no end": (CHUNKED + b"1\r\na\r\n0\r\nA: b\r\n", Arrived.PART),
    "chunks and more": (CHUNKED + b"1\r\na\r\n0\r\n\r\n" + GET, Arrived.WHOLE),
    "an end among the data": (CHUNKED + b"F0\r\n0\r\n\r\n", Arrived.PART),
    "a last chunk of many digits": (CHUNKED + b"0" * 20 + b"5\r\n0\r\n\r\n", Arrived.PART),
    "what is no chunk": (CHUNKED + b"hello\r\n", Arrived.WHOLE),
    "a chunk larger than what is held": (CHUNKED + b"FFFFFFFFFFFFFFFFFF\r\n", Arrived.LARGE),
    "a line without an end": (CHUNKED + b"a" * (HELD_BYTES + 1), Arrived.LARGE),
    "a sender that asks first": (POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", Arrived.ASKS),
    "one that didn't wait": (POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nab", Arrived.PART),
    "a large one that asks": (POST + b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n", Arrived.LARGE),
    "a head that never ends": (b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES, Arrived.LARGE),
}


@pytest.mark.parametrize("case", CASES)
def test_arrived__what_came_so_far__is_judged(case: str) -> None:
    held, wanted = CASES[case]

    assert arrived(Held(held)) is wanted


def test_arrived__byte_by_byte__is_whole_with_the_last_one() -> None:
    text, held = CHUNKED + b"5\r\n0\r\n\r\n\r\n2\r\nab\r\n0\r\nA: b\r\n\r\n", Held()

    judged = []
    for byte in text:
        held.append(byte)
        judged.append(arrived(held))

    assert set(judged[:-1]) == {Arrived.PART}
    assert judged[-1] is Arrived.WHOLE
