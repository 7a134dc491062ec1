"""Real builds that die of their instance's memory and pass once it has grown."""

import shutil
from pathlib import Path

import pytest

from tests.functional.real.conftest import Guard, Guarded
from tests.functional.real.machine import HERE, need, run, warm

pytestmark = pytest.mark.real


def check_cured(guarded: Guarded, exit_code: int, killed: set[str], size: str) -> None:
    """The deploy died of its instance's memory, for which one of `killed` died; the instance grew to `size` and it passed."""
    assert guarded.exit_codes == [exit_code, 0]
    assert guarded.code == 0
    assert guarded.diagnosis["cause"] == "instance_memory"
    assert {"counters", "kernel"} <= {reason["source"] for reason in guarded.diagnosis["reasons"]}
    assert guarded.killed
    assert guarded.killed <= killed
    assert guarded.report["operation"]["outcome"] == "done"
    assert guarded.report["operation"]["to_type"] == size
    assert guarded.report["outcome"] == "done"


def node() -> Path:
    return Path(str(shutil.which("node"))).resolve()


def cc1plus() -> Path:
    return Path(run("g++", "-print-prog-name=cc1plus").strip())


def ruby_libraries() -> list[Path]:
    folder = Path(run("ruby", "-e", "print RbConfig::CONFIG['libdir']"))
    return [path for name in ("libruby*.so*", "libsass*.so*") for path in folder.glob(f"**/{name}")]


def test_webpack_is_killed_at_256_mib_and_passes_at_512(guard: Guard, webpack: Path) -> None:
    warm(node())

    guarded = guard("sh", "deploy.sh", cwd=HERE / "webpack", NODE_PATH=str(webpack))

    check_cured(guarded, 137, {"node", "webpack"}, "512MiB")
    assert guarded.out.count("building the front end\n") == 2
    assert guarded.out.endswith("built\n")
    assert "Killed\n" in guarded.err
    assert list((guard.folder / "out").glob("main.*.js"))


def test_rails_precompiles_in_512_mib_on_an_idle_machine(guard: Guard, rails: Path) -> None:
    warm(node(), *ruby_libraries())

    guarded = guard("sh", "deploy.sh", cwd=HERE / "rails", size="512MiB", NODE_PATH=str(rails))

    assert guarded.exit_codes == [0]
    assert guarded.report["operation"] is None
    assert guarded.out.endswith("precompiled\n")


def test_rails_is_killed_in_512_mib_once_the_server_runs_and_passes_at_1_gib(guard: Guard, rails: Path) -> None:
    warm(node(), *ruby_libraries())

    guarded = guard("sh", "deploy.sh", cwd=HERE / "rails", size="512MiB", NODE_PATH=str(rails), WEB_WORKERS="8")

    check_cured(guarded, 1, {"node", "ruby"}, "1GiB")
    assert "SIGKILL (signal 9)" in guarded.err
    resident = {one["name"]: one["part_of_deploy"] for one in guarded.diagnosis["memory"]["resident"]}
    assert (resident["puma"], resident["rake"]) == (False, True)
    assert guarded.out.count("the web server answers: open\n") == 2
    assert guarded.out.endswith("precompiled\n")


def test_a_wheel_with_a_cpp_extension_fails_at_512_mib_and_passes_at_1_gib(
    guard: Guard, build_python: Path, extension: Path
) -> None:
    warm(cc1plus())
    pip = [str(build_python), "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]

    guarded = guard(*pip, "--wheel-dir", str(guard.folder / "out"), ".", cwd=extension, size="512MiB")

    check_cured(guarded, 1, {"cc1plus"}, "1GiB")
    assert "Failed building wheel for smallmatrix" in guarded.err
    assert list((guard.folder / "out").glob("smallmatrix-*.whl"))


def test_make_in_parallel_fails_at_1_gib_with_code_2_and_passes_at_2_gib(guard: Guard) -> None:
    need("g++", "make")
    warm(cc1plus())

    guarded = guard("make", "-j4", cwd=HERE / "make", size="1GiB")

    check_cured(guarded, 2, {"cc1plus"}, "2GiB")
    assert "Killed signal terminated program cc1plus" in guarded.err
    assert run(str(guard.folder / "out" / "ledger")) == "settled 400 cents\n"
