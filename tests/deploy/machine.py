"""What the tests of the deployment take from this machine: Debian's packages, pip's settings, a network of its own.

Everything is found out when it runs; the repository names no registry. What takes long to fetch is kept in
INSIGHT_DEPLOY_CACHE (default `~/.cache/insight-deploy`), outside of the checkout.
"""

import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing
from tests.deploy.image import Machine

RELEASE = "trixie"
CACHE = Path(os.environ.get("INSIGHT_DEPLOY_CACHE") or Path.home() / ".cache/insight-deploy")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def debian() -> Path:
    """The root of a bare Debian 13, as the image debian:13-slim has it; made once by debootstrap."""
    for tool in ("debootstrap", "unshare", "setpriv"):
        if shutil.which(tool) is None:
            missing(tool)
    if os.geteuid() != 0:
        missing("root, for chroots,")
    root = CACHE / RELEASE
    if not root.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        new = CACHE / f".{RELEASE}-{os.getpid()}"
        try:
            done = subprocess.run(
                ["debootstrap", "--variant=minbase", RELEASE, str(new), mirror()], capture_output=True, check=False
            )
            assert done.returncode == 0, done.stdout.decode()[-2_000:] + done.stderr.decode()[-2_000:]
            new.rename(root)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return root


def mirror() -> str:
    """Where this machine gets Debian 13 from."""
    texts = [path.read_text() for path in Path("/etc/apt/sources.list.d").glob("*.sources")]
    for paragraph in re.split(r"\n\s*\n", "\n\n".join(texts)):
        fields = dict(re.findall(r"^(\w[\w-]*):\s*(.+)$", paragraph, re.MULTILINE))
        if RELEASE in fields.get("Suites", "").split():
            return str(fields["URIs"].split()[0])
    lines = Path("/etc/apt/sources.list")
    found = re.search(
        rf"^deb\s+(?:\[.*?\]\s+)?(\S+)\s+{RELEASE}\s", lines.read_text() if lines.exists() else "", re.MULTILINE
    )
    if found is None:
        missing(f"a source of Debian's {RELEASE}")
        raise AssertionError
    return found[1]


def lent(place: Path) -> Machine:
    """What RUN steps get of this machine; nothing of it becomes part of a layer.

    Args:
        place: an empty folder.
    """
    apt = place / "apt"
    shutil.copytree("/etc/apt", apt, symlinks=True)
    shutil.rmtree(apt / "preferences.d", ignore_errors=True)
    (apt / "preferences.d").mkdir()
    for source in (apt / "sources.list.d").glob("*"):
        if "file:" in source.read_text():  # packages that lie on this machine alone
            source.unlink()
    archives, caches = CACHE / "archives", CACHE / "run"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    caches.mkdir(parents=True, exist_ok=True)
    (apt / "apt.conf.d" / "zz-keep").write_text(
        'Binary::apt-get::APT::Keep-Downloaded-Packages "true";\nAPT::Sandbox::User "root";\n'
    )
    (apt / "apt.conf.d" / "docker-clean").unlink(missing_ok=True)
    own = Path.home() / ".cache/uv"
    if own.is_dir() and not (caches / "root-.cache-uv").exists():
        (caches / "root-.cache-uv").symlink_to(own)
    binds = {
        str(apt): "/etc/apt",
        "ro:/usr/share/keyrings": "/usr/share/keyrings",
        "ro:/etc/resolv.conf": "/etc/resolv.conf",
        str(archives): "/var/cache/apt/archives",
    }
    env = {name: value for name, value in os.environ.items() if re.match(r"(PIP|UV)_|.*_proxy$", name, re.IGNORECASE)}
    for name, config in {"PIP_CONFIG_FILE": "/etc/pip.conf", "UV_CONFIG_FILE": "/etc/uv/uv.toml"}.items():
        if Path(config).exists():
            binds[f"ro:{config}"] = env[name] = f"/run/machine/{Path(config).name}"
    if CERTIFICATES.exists():
        binds[f"ro:{CERTIFICATES}"] = "/run/machine/certificates.crt"
        env |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), "/run/machine/certificates.crt")
    env.pop("PIP_FIND_LINKS", None)  # a folder of this machine
    return Machine(binds, env, caches)


@contextmanager
def own_network() -> Iterator[None]:
    """Inside, this thread and what it starts have a loopback of their own: every port is free."""
    with Path(f"/proc/self/task/{threading.get_native_id()}/ns/net").open("rb") as before:
        os.unshare(os.CLONE_NEWNET)
        try:
            _raise_loopback()
            yield
        finally:
            os.setns(before.fileno(), os.CLONE_NEWNET)


def _raise_loopback() -> None:
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        found = fcntl.ioctl(sock, get_flags, struct.pack("16sH14x", b"lo", 0))
        (flags,) = struct.unpack("16xH14x", found)
        fcntl.ioctl(sock, set_flags, struct.pack("16sH14x", b"lo", flags | up))
