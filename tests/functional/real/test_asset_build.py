"""The example that the demo deploys."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.real.conftest import Guard

BUILD = Path(__file__).parents[3] / "examples" / "asset-build" / "build.py"


def test_every_bundle_preloads_one_that_was_built(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(BUILD), "--scale", "0.002", "--out", str(tmp_path)], capture_output=True, text=True, check=True
    )

    manifest = json.loads((tmp_path / "manifest.json").read_text())
    digests = [entry["digest"] for entry in manifest.values()]
    assert len(manifest) == 2 * 12
    assert [entry["next"] for entry in manifest.values()] == digests[1:] + digests[:1]
    assert len(set(digests)) == len(digests)
    assert "[12/12] bundled sv: 24 bundles" in done.stdout


@pytest.mark.real
def test_the_example_dies_in_1_gib_with_code_1_and_passes_in_2(guard: Guard) -> None:
    guarded = guard(sys.executable, str(BUILD), size="1GiB")

    assert guarded.exit_codes == [1, 0]
    assert guarded.code == 0
    assert guarded.diagnosis["cause"] == "instance_memory"
    assert len(guarded.diagnosis["killed"]) == 1
    assert guarded.report["operation"]["to_type"] == "2GiB"
    assert f"bundler worker {guarded.diagnosis['killed'][0]['pid']} was terminated by signal 9" in guarded.err
    assert "built 14880 bundles" in guarded.out
