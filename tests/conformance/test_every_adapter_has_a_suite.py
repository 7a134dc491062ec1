"""Every adapter that is registered runs the whole conformance suite, against itself."""

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from scaler.testing import ProviderConformance

ROOT = Path(__file__).parents[2]
WHOLE_SUITE = {name for name in dir(ProviderConformance) if name.startswith("test_")}
ADAPTERS = sorted(entry_points(group="scaler.providers"), key=lambda entry: entry.name)

SUITE = """
from scaler.testing import FakeProvider, ProviderConformance

class {name}(ProviderConformance):
    provider_class = FakeProvider
    unknown_reference = "fake:nobody"
    {more}
"""


def missing(adapter: str, file: Path, *options: str) -> set[str]:
    """The conformance tests that pytest does not collect from the file for this adapter (`module:Class`)."""
    command = [sys.executable, "-m", "tests.conformance.collect", *options, str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line.split() for line in done.stdout.splitlines()]
    return WHOLE_SUITE - {line[1] for line in lines if line[:1] == [adapter]}


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda entry: entry.name)
def test_the_adapter_runs_the_whole_suite(adapter: EntryPoint) -> None:
    assert missing(adapter.value, ROOT / "tests" / "providers" / adapter.name / "test_conformance.py") == set()


def test_there_are_adapters_and_tests_to_run() -> None:
    assert {"ec2", "local"} <= {adapter.name for adapter in ADAPTERS}
    assert len(WHOLE_SUITE) > 20


@pytest.mark.parametrize(
    ("name", "more", "gap"),
    [
        ("TestFake", "", set()),
        ("Fake", "", WHOLE_SUITE),
        ("TestFake", "test_observing_nothing_answers_nothing = None", {"test_observing_nothing_answers_nothing"}),
    ],
    ids=["whole", "not collected", "one left out"],
)
def test_a_suite_is_only_counted_for_what_is_collected(tmp_path: Path, name: str, more: str, gap: set[str]) -> None:
    file = tmp_path / "test_conformance.py"
    file.write_text(SUITE.format(name=name, more=more))

    assert missing("scaler.testing.fake:FakeProvider", file, "--rootdir", str(tmp_path)) == gap


def test_a_suite_of_another_adapter_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "test_conformance.py"
    file.write_text(SUITE.format(name="TestFake", more=""))

    assert missing("scaler_providers.ec2.provider:Ec2Provider", file, "--rootdir", str(tmp_path)) == WHOLE_SUITE


def test_an_adapter_without_the_file_has_no_suite(tmp_path: Path) -> None:
    assert missing("scaler.testing.fake:FakeProvider", tmp_path / "test_conformance.py") == WHOLE_SUITE
