"""Build the real parts that the end-to-end tests run, once, into a cache outside the tree.

`python tools/components.py collector` prints the path of the program; also `prometheus` (the
folder of `prometheus` and `promtool`), `alertmanager`, `amtool`, `compose` and `kafka` (the folder
of the broker's jars).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Path(__file__).parents[1] / "collector-config"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "replymeter"
OLDEST_GO = (1, 26)
RECIPES = b"1"  # Part of the cache's key: count on when the way of building changes.
PROMETHEUS = "github.com/prometheus/prometheus/cmd/"
COMPOSE = "github.com/docker/compose/v2/cmd"
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v{}"


class MissingError(Exception):
    """A part is not there and cannot be made; the text says why, and what to do."""


def path(name: str) -> Path:
    """Where the part of this name is, or will be."""
    sources, result, _ = PARTS[name]
    digest = hashlib.sha256(RECIPES)
    for file in sources:
        digest.update((CONFIG / file).read_bytes())
    if name in ("collector", "prometheus", "compose"):
        digest.update(go_version().encode())
    return CACHE / f"{name}-{digest.hexdigest()[:12]}" / result


def find(name: str) -> Path:
    """The part, built before; raises MissingError with the reason when it is not there."""
    there = path(name)
    if not there.exists():
        raise MissingError(f"{name} is not built: run `make {name}`")
    return there


def make(name: str) -> Path:
    """The part, built now unless it was before; raises MissingError with the reason."""
    there = path(name)
    folder = CACHE / there.relative_to(CACHE).parts[0]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would share two cores
        if not there.exists():
            print(f"Building {name}: once, it can take minutes ...", file=sys.stderr)
            with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{name}-") as scratch:
                built = Path(scratch, "built")
                built.mkdir()
                PARTS[name][2](Path(scratch), built)
                shutil.rmtree(folder, ignore_errors=True)
                built.rename(folder)
    return there


def go_version() -> str:
    """The version of the Go on the PATH; raises MissingError when there is none, or an old one."""
    try:
        said = run("go", "env", "GOVERSION").strip()
    except FileNotFoundError:
        raise MissingError("Go 1.26 or newer is needed, and there is no `go` on the PATH") from None
    numbers = tuple(map(int, re.findall(r"\d+", said)[:2]))
    if numbers < OLDEST_GO:
        raise MissingError(f"Go 1.26 or newer is needed, and `go` is {said}")
    return said


def run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    """What *command* prints; its errors go through to the terminal."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def build_collector(scratch: Path, built: Path) -> None:
    """The Collector Builder writes the sources; the committed go.mod and go.sum pin them."""
    manifest = CONFIG / "builder" / "manifest.yaml"
    version = re.search(r"^  version: (\S+)", manifest.read_text(), re.MULTILINE)
    assert version, "the manifest names a version"  # noqa: S101
    run("go", "install", BUILDER.format(version[1]), GOBIN=str(scratch))  # the manifest's version
    command = (f"{scratch}/builder", "--skip-compilation", "--skip-get-modules")
    run(*command, "--config", str(manifest), cwd=scratch)
    go_build(scratch / "source", CONFIG / "builder", built, "grpcnotrace", ".")


def build_prometheus(scratch: Path, built: Path) -> None:
    """The server, without web pages and service discovery beyond files and DNS, and promtool."""
    source = scratch / "source"
    source.mkdir()
    go_build(
        source,
        CONFIG / "prometheus",
        built,
        "remove_all_sd,enable_dns_sd",
        f"{PROMETHEUS}prometheus",
        f"{PROMETHEUS}promtool",
    )


def go_build(source: Path, lock: Path, built: Path, tags: str, *packages: str) -> None:
    """Build *packages* by the go.mod and go.sum in *lock*, at a low priority."""
    for file in ("go.mod", "go.sum"):
        shutil.copy(lock / file, source)
    output = f"{built}/" if packages != (".",) else str(built / "replymeter-collector")
    flags = ("-trimpath", "-mod=readonly", f"-tags={tags}", "-ldflags=-s -w", "-o", output)
    run("nice", "-n", "10", "go", "build", *flags, *packages, cwd=source, CGO_ENABLED="0")


def build_kafka(_: Path, built: Path) -> None:
    """The broker's jars, from the registry that Maven's own settings name."""
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise MissingError(f"Kafka needs `{program}`, which is not on the PATH")
    folder = f"-DoutputDirectory={built / 'lib'}"
    pom = str(CONFIG / "kafka" / "pom.xml")
    run("mvn", "-B", "-q", "-f", pom, "dependency:copy-dependencies", folder)


def build_compose(scratch: Path, built: Path) -> None:
    """Docker Compose by itself; `config` needs no Docker."""
    source = scratch / "source"
    source.mkdir()
    go_build(source, CONFIG / "compose", built, "e2e", COMPOSE)
    (built / "cmd").rename(built / "docker-compose")


LAUNCHER = """\
#!/bin/sh
# Debian's Alertmanager looks for its templates below /usr/share only. It gets a /usr/share of its
# own, in a mount namespace, that has them; the machine is left as it is.
exec unshare --map-root-user --mount sh -c 'mount -t tmpfs none /usr/share &&
    mkdir /usr/share/prometheus && ln -s "$0/templates" /usr/share/prometheus/alertmanager &&
    exec "$0/alertmanager" "$@"' "$(dirname "$(readlink -f "$0")")" "$@"
"""


def build_alertmanager(scratch: Path, built: Path) -> None:
    """Alertmanager from the PATH or from Debian's package, behind a script that starts it."""
    debian("alertmanager", "prometheus-alertmanager")(scratch, built)
    script = built / "run-alertmanager"
    templates = scratch / "root/usr/share/prometheus/alertmanager"
    if not templates.exists():
        script.symlink_to("alertmanager")
        return
    shutil.copytree(templates, built / "templates")
    script.write_text(LAUNCHER)
    script.chmod(0o755)
    try:
        run(str(script), "--version")
    except subprocess.CalledProcessError:
        raise MissingError(
            "Debian's Alertmanager cannot run where it is unpacked: mount namespaces are not "
            "allowed here. `apt-get install prometheus-alertmanager`"
        ) from None


def debian(name: str, program: str) -> Callable[[Path, Path], None]:
    """Takes *program* from the PATH, else from Debian's Alertmanager, unpacked, not installed."""

    def build(scratch: Path, built: Path) -> None:
        installed = shutil.which(program) or shutil.which(name)
        if installed:
            (built / name).symlink_to(installed)
            return
        if not shutil.which("apt-get"):
            raise MissingError(f"there is no `{name}` on the PATH, and no Debian to get it from")
        try:
            run("apt-get", "download", "-q", "prometheus-alertmanager", cwd=scratch)
        except subprocess.CalledProcessError:
            raise MissingError("apt-get cannot download it: `apt-get update` first?") from None
        run("dpkg", "-x", *map(str, scratch.glob("*.deb")), str(scratch / "root"))
        shutil.copy(scratch / "root/usr/bin" / program, built / name)

    return build


Part = tuple[tuple[str, ...], str, "Callable[[Path, Path], None]"]

PARTS: dict[str, Part] = {
    "collector": (
        ("builder/manifest.yaml", "builder/go.mod", "builder/go.sum"),
        "replymeter-collector",
        build_collector,
    ),
    "prometheus": (("prometheus/go.mod", "prometheus/go.sum"), ".", build_prometheus),
    "kafka": (("kafka/pom.xml",), "lib", build_kafka),
    "alertmanager": ((), "run-alertmanager", build_alertmanager),
    "amtool": ((), "amtool", debian("amtool", "amtool")),
    "compose": (("compose/go.mod", "compose/go.sum"), "docker-compose", build_compose),
}


def main() -> int:
    """Build the part that the command line names and print where it is.

    The exit code is 3 when it cannot be had on this machine, 1 when building it failed.
    """
    name = sys.argv[1]
    try:
        print(make(name))
    except MissingError as error:
        print(f"make {name}: {error}.", file=sys.stderr)
        return 3
    except subprocess.CalledProcessError as error:
        print(f"make {name}: `{' '.join(error.cmd[:3])} ...` failed, see above.", file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
