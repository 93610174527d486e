"""Which addresses a store may have, and what is missing for one in S3."""

import duckdb
import pytest

from events.store import object_store
from runs.refusals import Refused

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "it's a key")


@pytest.mark.parametrize("place", ["s3://bucket", "s3://bucket/", "s3://my-bucket.x/a/b_c/d=e~1.0/"])
def test_address__of_plain_characters__is_taken_without_its_last_slash(place: str) -> None:
    assert object_store.checked(place) == place.rstrip("/")


@pytest.mark.parametrize(
    "place",
    ["s3://bucket/a b", "s3://bucket/é", "s3://user:secret@bucket/a", "gs://bucket/a", "az://x/y", "s3://b/a?x=1"],
)
def test_address__that_some_reader_would_decode_its_own_way__is_refused_without_its_secrets(place: str) -> None:
    with pytest.raises(Refused, match="EVENTS_URL") as refused:
        object_store.checked(place)
    assert "secret" not in str(refused.value)


def test_address__without_keys__names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEYS[1])

    with pytest.raises(Refused, match=KEYS[1]):
        object_store.checked("s3://bucket/a")


def test_attach__loads_the_wheel_and_hands_on_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "it's short")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.example.com:9000/")
    with duckdb.connect() as connection:
        connection.execute("SET autoinstall_known_extensions = false")
        object_store.attach("s3://bucket/a", connection.execute)
        (said,) = connection.execute("SELECT secret_string FROM duckdb_secrets()").fetchone() or ("",)
        loaded = connection.execute("SELECT loaded FROM duckdb_extensions() WHERE extension_name = 'httpfs'").fetchall()

    assert loaded == [(True,)]
    for part in ("endpoint=s3.example.com:9000", "key_id=it's a key", "url_style=path", "use_ssl=true"):
        assert part in said
    assert "it's short" not in said  # DuckDB shows no secret


def test_attach__without_the_package__says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "PACKAGE", "no_such_package")

    with pytest.raises(Refused, match=r"requirements-s3\.txt"):
        object_store.attach("s3://bucket/a", print)
    object_store.attach("/var/events", print)  # a folder needs nothing
