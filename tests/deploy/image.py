"""Reads deploy/Dockerfile and builds it without a container engine: stages are layers of overlayfs, RUN is a chroot.

It knows the instructions that our Dockerfile has. Any other is an error: what isn't understood isn't tested either.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

KNOWN = (
    *("ARG", "FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "LABEL", "VOLUME", "EXPOSE", "STOPSIGNAL"),
    *("HEALTHCHECK", "ENTRYPOINT", "CMD"),
)
FLAGS = {"RUN": ("mount",), "COPY": ("from",), "HEALTHCHECK": ("interval", "timeout", "start-period", "retries")}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class NotUnderstoodError(ValueError):
    """The Dockerfile says something that this reader doesn't know."""


@dataclass(frozen=True)
class Instruction:
    """One line of a Dockerfile, joined and without comments."""

    name: str
    text: str
    flags: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> list[str]:
        """The JSON form's list, or the words of a shell."""
        return list(json.loads(self.text)) if self.text.startswith("[") else shlex.split(self.text)


def parse(text: str) -> list[Instruction]:
    """Every instruction in its order.

    Raises:
        NotUnderstoodError: an instruction or flag that isn't known.
    """
    found = []
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        flags = {}
        while match := re.match(r"\s*--([\w-]+)=(\S+)\s+", rest):
            flags[match[1]], rest = match[2], rest[match.end() :]
        if name not in KNOWN or set(flags) - set(FLAGS.get(name, ())) or "<<" in rest:
            raise NotUnderstoodError(line.strip())
        found.append(Instruction(name, rest.strip(), flags))
    return found


@dataclass
class Stage:
    """What a stage has become: layers, the top one first, and what an image says of itself."""

    layers: list[Path]
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    user: str = "0:0"
    folder: str = "/"
    labels: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Machine:
    """What this machine lends to a chroot.

    Attributes:
        binds: our path → path inside.
        env: of RUN steps alone, such as pip's settings.
        caches: a folder for what RUN keeps between builds.
    """

    binds: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    caches: Path = Path("/nowhere")


def enter(
    layers: Sequence[Path],
    command: Sequence[str],
    *,
    work: Path,
    writable: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: str = "0:0",
    folder: str = "/",
    binds: Mapping[str, str] | None = None,
    tmpfs: Iterable[str] = (),
) -> list[str]:
    """The command line that runs a command in a root of these layers; its mounts end with it.

    Args:
        layers: the top one first.
        command: what runs inside.
        work: an empty folder for the mounts.
        writable: where changes go; None for a root that can't be written.
        env: the whole environment of the command.
        user: numbers "user:group"; any but 0 has no capability and gets none.
        folder: where it starts.
        binds: our path → path inside; a leading "ro:" makes it readable alone.
        tmpfs: folders that are empty and writable.
    """
    root = work / "root"
    lower = ":".join(map(str, layers))
    lines = ["set -e", f"mkdir -p {root}"]
    if writable is None:
        lines.append(f"mount -t overlay overlay -o ro,lowerdir={lower}:{_empty(work)} {root}")
    else:
        lines.append(f"mkdir -p {writable} {work}/changes")
        lines.append(f"mount -t overlay overlay -o lowerdir={lower},upperdir={writable},workdir={work}/changes {root}")
    lines += [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev", f"mount -t tmpfs tmpfs {root}/run"]
    lines += [f"mount -t tmpfs -o mode=1777 tmpfs {root}{place}" for place in tmpfs]
    for given, inside in (binds or {}).items():
        ours, only = given.removeprefix("ro:"), given.startswith("ro:")
        if inside.startswith("/run/"):
            make = "mkdir -p" if Path(ours).is_dir() else f"mkdir -p {root}{Path(inside).parent} && touch"
            lines.append(f"{make} {root}{inside}")
        lines.append(f"mount --bind {shlex.quote(ours)} {root}{inside}")
        if only:
            lines.append(f"mount -o remount,bind,ro {root}{inside}")
    uid, _, gid = user.partition(":")
    drop = [
        "setpriv",
        f"--reuid={uid}",
        f"--regid={gid or uid}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
    ]
    inner = ["env", "-i", *[f"{name}={value}" for name, value in (env or {}).items()]]
    inner += ["sh", "-c", f'cd {shlex.quote(folder)} && exec "$@"', "sh", *command]
    whole = ["chroot", str(root), *([] if user == "0:0" else drop), *inner]
    lines.append(f"exec {shlex.join(whole)}")
    return ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", "\n".join(lines)]


def new_folder(place: Path) -> Path:
    """Make a folder that wasn't there."""
    place.mkdir(parents=True)
    return place


def _empty(work: Path) -> Path:
    (work / "empty").mkdir(parents=True, exist_ok=True)  # overlayfs asks for two layers when none can be written
    return work / "empty"


def build(text: str, *, base: Mapping[str, Path], context: Path, place: Path, machine: Machine) -> Stage:
    """Carry out a Dockerfile; the last stage.

    Args:
        text: of the Dockerfile.
        base: images by name: their root.
        context: what COPY copies from.
        place: an empty folder for layers.
        machine: what RUN needs of this machine.

    Raises:
        NotUnderstoodError: something in it isn't known.
        subprocess.CalledProcessError: a RUN failed.
    """
    stages: dict[str, Stage] = {name: Stage([root]) for name, root in base.items()}
    values: dict[str, str] = {}
    stage: Stage | None = None
    for number, one in enumerate(parse(text)):
        began = time.monotonic()
        text_ = _filled(one.text, {**values, **(stage.env if stage else {})}) if one.name != "RUN" else one.text
        if one.name == "ARG":
            name, _, default = text_.partition("=")
            values.setdefault(name, default)
        elif one.name == "FROM":
            source, _, name = text_.partition(" AS ")
            if source not in stages:
                raise NotUnderstoodError(f"FROM {source}")
            origin = stages[source]
            top = place / f"layer-{number}"
            top.mkdir(parents=True)
            stage = Stage([top, *origin.layers], dict(origin.env), origin.user, origin.folder, dict(origin.labels))
            stages[name or f"stage {number}"] = stage
        elif stage is None:
            raise NotUnderstoodError(f"{one.name} before FROM")
        elif one.name == "RUN":
            _run(stage, one, place / f"work-{number}", machine, values)
        elif one.name == "COPY":
            _copy(stage, one.flags.get("from"), text_.split(), stages, context, place / f"work-{number}")
        else:
            _note(stage, one.name, text_)
        if one.name in ("RUN", "COPY"):
            print(
                f"deploy: {time.monotonic() - began:.1f} s: {one.name} {one.text[:70]}", file=sys.__stderr__, flush=True
            )
    if stage is None:
        raise NotUnderstoodError("there is no FROM")
    return stage


def _filled(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            raise NotUnderstoodError(f"${name} has no value")
        return values[name]

    return re.sub(r"\$\{(\w+)\}|\$(\w+)", value, text)


def _note(stage: Stage, name: str, text: str) -> None:
    if name in ("ENV", "LABEL"):
        pairs = dict(word.split("=", 1) for word in shlex.split(text))
        (stage.env if name == "ENV" else stage.labels).update(pairs)
    elif name == "USER":
        stage.user = text
    elif name == "WORKDIR":
        stage.folder = text
        (stage.layers[0] / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
    elif name == "CMD":
        stage.command = list(json.loads(text))
    elif name == "HEALTHCHECK":
        kind, _, rest = text.partition(" ")
        if kind != "CMD":
            raise NotUnderstoodError(text)
        stage.health = list(json.loads(rest))
    elif name not in ("EXPOSE", "STOPSIGNAL", "VOLUME"):
        raise NotUnderstoodError(f"{name} {text}")


def _run(stage: Stage, one: Instruction, work: Path, machine: Machine, values: Mapping[str, str]) -> None:
    binds, command = dict(machine.binds), one.text
    if mount := one.flags.get("mount"):
        options = dict(pair.split("=", 1) for pair in mount.split(","))
        if options.keys() != {"type", "target"} or options["type"] != "cache":
            raise NotUnderstoodError(mount)
        kept = machine.caches / options["target"].strip("/").replace("/", "-")
        kept.mkdir(parents=True, exist_ok=True)
        target = stage.layers[0] / options["target"].lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        binds[str(kept)] = options["target"]
    top, *lower = stage.layers
    work.mkdir(parents=True)
    env = {**stage.env, **{name: value for name, value in values.items() if value}, **machine.env}
    subprocess.run(
        enter(lower, ["sh", "-c", command], work=work, writable=top, env=env, folder=stage.folder, binds=binds),
        check=True,
    )
    shutil.rmtree(work)


def _copy(
    stage: Stage, origin: str | None, words: Sequence[str], stages: Mapping[str, Stage], context: Path, work: Path
) -> None:
    """COPY is done in a chroot too, so that it meets the merged tree of all layers."""
    *sources, target = words
    work.mkdir(parents=True)
    given = work / "given"
    given.mkdir()
    top, *lower = stage.layers
    if origin is None:
        for source in sources:
            _take(context, source, given)
        binds = {str(given): "/run/given"}
        inside = f"cp -r --preserve=mode,timestamps /run/given/. {shlex.quote(target)}"
    else:
        if len(sources) != 1:
            raise NotUnderstoodError(f"COPY --from with {len(sources)} sources")
        place = next(layer for layer in stages[origin].layers if (layer / sources[0].lstrip("/")).exists())
        binds = {str(place / sources[0].lstrip("/")): "/run/given"}
        inside = f"cp -a /run/given/. {shlex.quote(target)}"
    command = ["sh", "-ec", f"mkdir -p {shlex.quote(target)}; {inside}"]
    env = {"PATH": PATH}
    subprocess.run(
        enter(lower, command, work=work, writable=top, env=env, folder=stage.folder, binds=binds), check=True
    )
    shutil.rmtree(work)


def _take(context: Path, source: str, to: Path) -> None:
    """What one source of COPY brings: a file, or everything that .dockerignore leaves."""
    patterns = (context / ".dockerignore").read_text().splitlines()
    if source != ".":
        if ignored(source, patterns):
            raise NotUnderstoodError(f"COPY {source}: .dockerignore leaves it out")
        shutil.copy2(context / source, to / Path(source).name)
        return
    for folder, names, files in os.walk(context):
        here = Path(folder).relative_to(context)
        names[:] = [name for name in names if name != ".git"]
        for file in files:
            relative = here / file
            if not ignored(relative.as_posix(), patterns):
                (to / relative.parent).mkdir(parents=True, exist_ok=True)
                shutil.copy2(context / relative, to / relative)


def ignored(path: str, patterns: Iterable[str]) -> bool:
    """Whether .dockerignore leaves a file out: the last pattern that fits it or a folder on its way decides."""
    out = False
    parts = path.split("/")
    ways = ["/".join(parts[: at + 1]) for at in range(len(parts))]
    for pattern in (line.strip() for line in patterns):
        if not pattern or pattern.startswith("#"):
            continue
        wanted = pattern.lstrip("!").strip("/")
        if wanted.startswith("**/"):
            fits = any(fnmatch(part, wanted[3:]) for part in parts)
        elif "**" in wanted:
            raise NotUnderstoodError(pattern)
        else:
            fits = any(way.count("/") == wanted.count("/") and fnmatch(way, wanted) for way in ways)
        if fits:
            out = not pattern.startswith("!")
    return out
