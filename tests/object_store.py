"""An S3 on this machine: the package moto as a server, from the venv of `make clients`."""

import contextlib
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing

PYTHON = Path(__file__).resolve().parents[1] / ".venv-clients/bin/python"
SERVER = Path(__file__).with_name("atomic_moto.py")

START_SECONDS = 240  # two on a quiet machine


@contextmanager
def server(*words: str) -> Iterator[str]:
    """Its address inside the block; every bucket is gone at the end. The words go to atomic_moto.py."""
    if not PYTHON.exists():
        missing("moto, which `make clients` installs,")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [PYTHON, "-P", SERVER, "-H", "127.0.0.1", "-p", str(port), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(address):
            assert time.monotonic() < until, "moto doesn't start"
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
        return True
    return False


def new_bucket(address: str, setenv: Callable[[str, str], None]) -> str:
    """Make a bucket, hand its keys to `setenv`, and give the address of a store in it that doesn't exist yet."""
    name = f"b{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT"), timeout=30).close()
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "it's secret", "AWS_REGION": "eu-central-1"}
    for key, value in (keys | {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true"}).items():
        setenv(key, value)
    return f"s3://{name}/insight/events"
