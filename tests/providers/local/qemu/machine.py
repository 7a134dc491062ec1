"""A small virtual machine with its own kernel: Debian's cloud kernel, busybox, this interpreter, and scale's code.

Kernel and base system are cached in `$XDG_CACHE_HOME/scale/qemu`; the code is packed anew for each boot.
"""

import gzip
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[4]
RESULT = "SCALE-RESULT "

_PROGRAMS = ("qemu-system-x86_64", "busybox", "cpio", "apt-get", "dpkg-deb")
_SKIPPED = ("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages", "config-*", "pydoc_data", "*.a")

_INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp && chmod 1777 /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /tmp
export PYTHONHOME={home} PYTHONPATH=/scale PYTHONDONTWRITEBYTECODE=1 PATH=/bin
{python} /scenario.py
poweroff -f
"""


class Missing(Exception):
    """The machine cannot be built here."""


def run(scenario: Path, memory_mib: int = 512, timeout_seconds: float = 170) -> Any:  # noqa: ANN401 - whatever the scenario prints
    """Boot, run the scenario as root, and return the JSON it printed on the serial console.

    Raises:
        Missing: a package is not there.
    """
    cache = _prepared()
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "initramfs")
        # The kernel unpacks archives one after the other from one file.
        image.write_bytes((cache / "base.cpio.gz").read_bytes() + _code(scenario))
        command = [
            *(
                "qemu-system-x86_64",
                "-accel",
                "tcg",
                "-m",
                str(memory_mib),
                "-smp",
                "1",
                "-nographic",
                "-no-reboot",
                "-nic",
                "none",
            ),
            *("-kernel", str(cache / "vmlinuz"), "-initrd", str(image)),
            *("-append", "console=ttyS0 panic=-1 loglevel=5 cgroup_no_v1=all"),
        ]
        console = _console(command, timeout_seconds)
    for line in console.splitlines():
        if line.startswith(RESULT):
            return json.loads(line.removeprefix(RESULT))
    raise AssertionError(f"the machine gave no result:\n{console[-6000:]}")


def _console(command: list[str], timeout_seconds: float) -> str:
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode(errors="replace") + f"\nstill running after {timeout_seconds} s"
    return ended.stdout.decode(errors="replace")


def require() -> None:
    """
    Raises:
        Missing: naming what is not there.
    """
    if platform.machine() != "x86_64":
        raise Missing(f"the machine is built for x86_64, and this is {platform.machine()}")
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise Missing(f"{', '.join(missing)} not found; install what .ci/packages-qemu.txt names")


def _prepared() -> Path:
    require()
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "scale" / "qemu" / f"python-{platform.python_version()}"
    )
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "vmlinuz").exists():
        _into(cache / "vmlinuz", _kernel())
    if not (cache / "base.cpio.gz").exists():
        _into(cache / "base.cpio.gz", _base())
    return cache


def _into(path: Path, content: bytes) -> None:
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)


def _kernel() -> bytes:
    """From the package, unpacked and not installed."""
    depends = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=False
    ).stdout
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if package is None:
        raise Missing("apt knows no linux-image-cloud-amd64; run apt-get update on Debian")
    with tempfile.TemporaryDirectory() as folder:
        # apt drops its privileges to download, and may not write into a folder of mode 700.
        Path(folder).chmod(0o755)
        got = subprocess.run(["apt-get", "download", package[1]], cwd=folder, capture_output=True, text=True, check=False)
        debs = list(Path(folder).glob("*.deb"))
        if not debs:
            raise Missing(f"{package[1]} cannot be downloaded: {got.stderr.strip()}")
        subprocess.run(["dpkg-deb", "-x", str(debs[0]), folder], check=True)
        return next(Path(folder, "boot").glob("vmlinuz-*")).read_bytes()


def _base() -> bytes:
    """Busybox, and the interpreter that runs this with its standard library and shared libraries, at the paths they have here."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for directory in ("bin", "proc", "sys", "dev", "tmp", "lib64"):
            (root / directory).mkdir()
        shutil.copy(shutil.which("busybox") or "", root / "bin" / "busybox")
        python = Path(sys.executable).resolve()
        library = Path(sysconfig.get_paths(vars={"base": sys.base_prefix})["stdlib"])
        shutil.copytree(library, _below(root, library), ignore=shutil.ignore_patterns(*_SKIPPED), symlinks=True)
        for file in [python, *_shared_libraries([python, *(library / "lib-dynload").glob("*.so")])]:
            _below(root, file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, _below(root, file))
        init = root / "init"
        init.write_text(_INIT.format(home=sys.base_prefix, python=python))
        init.chmod(0o755)
        _open_to_all(root)
        return gzip.compress(_packed(root), compresslevel=1)


def _code(scenario: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for package in (REPOSITORY / "scaler", REPOSITORY / "providers" / "scaler_providers"):
            shutil.copytree(
                package, root / "scale" / package.name, ignore=shutil.ignore_patterns("__pycache__", "ec2", "cli", "testing")
            )
        shutil.copy(scenario, root / "scenario.py")
        _open_to_all(root)
        return gzip.compress(_packed(root), compresslevel=1)


def _packed(root: Path) -> bytes:
    names = "\0".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    return subprocess.run(
        ["cpio", "--null", "--create", "--format=newc", "--owner=0:0", "--quiet"],
        cwd=root,
        input=names.encode(),
        capture_output=True,
        check=True,
    ).stdout


def _open_to_all(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


def _shared_libraries(binaries: list[Path]) -> Iterator[Path]:
    listed = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    return (Path(name) for name in sorted(set(re.findall(r"(/\S+) \(0x", listed))))


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")
