"""Run a command under the system-call filter of the shipped units: `python filtered.py HARDENING.CONF COMMAND …`.

systemd isn't process 1 where tests run, so its filter is made here, by libseccomp, of the same lines and sets.
"""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EPERM, NO_NEW_PRIVILEGES = 1, 38


def allowed(hardening: Path) -> set[str]:
    """Names of the calls that its `SystemCallFilter=` lines leave, in their order."""
    found: set[str] = set()
    for line in hardening.read_text().splitlines():
        if line.startswith("SystemCallFilter="):
            value = line.partition("=")[2]
            names = {name for one in value.lstrip("~").split() for name in members(one)}
            found = found - names if value.startswith("~") else found | names
    return found


def members(name: str) -> Iterator[str]:
    """The calls of a set such as @resources, those of the sets inside it too; a call itself otherwise."""
    if not name.startswith("@"):
        yield name
        return
    said = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name], check=True, capture_output=True, text=True
    ).stdout
    for line in said.splitlines()[1:]:
        if (one := line.strip()) and not one.startswith("#"):
            yield from members(one)


def forbid_others(names: set[str]) -> None:
    """From here on any other call of this process and its children answers EPERM.

    Raises:
        OSError: the kernel takes no filter.
    """
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    context = library.seccomp_init(ERRNO | EPERM)
    for name in sorted(names):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others belong to other machines, or to a newer kernel
            library.seccomp_rule_add(context, ALLOW, number, 0)
    ctypes.CDLL(None).prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if failed := library.seccomp_load(context):
        raise OSError(-failed, os.strerror(-failed))


if __name__ == "__main__":
    forbid_others(allowed(Path(sys.argv[1])))
    os.execvp(sys.argv[2], sys.argv[2:])
