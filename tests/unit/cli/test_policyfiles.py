"""Which policy file is meant."""

from pathlib import Path

import pytest

from scaler.cli.policyfiles import find, locate


def test_the_nearest_file_upwards_is_found(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "scale.yaml").write_text("version: 1")
    assert find(tmp_path / "a" / "b") == tmp_path / "scale.yaml"

    (tmp_path / "scale.yml").write_text("version: 1")
    assert find(tmp_path / "a" / "b") == tmp_path / "scale.yml"

    (tmp_path / "a" / "scale.yml").mkdir()
    assert find(tmp_path / "a" / "b") == tmp_path / "scale.yml"

    (tmp_path / "a" / "scale.yaml").write_text("version: 1")
    assert find(tmp_path / "a" / "b") == tmp_path / "a" / "scale.yaml"


def test_without_a_file_upwards_none_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaler.cli.policyfiles.NAMES", ("no-such-policy-8f2c.yml",))

    assert find(tmp_path) is None


def test_the_file_named_comes_before_the_environments_and_that_before_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scale.yml").write_text("version: 1")
    monkeypatch.chdir(tmp_path)
    assert locate(None) == tmp_path / "scale.yml"

    monkeypatch.setenv("SCALE_POLICY", "/elsewhere/scale.yml")
    assert locate(None) == Path("/elsewhere/scale.yml")
    assert locate(Path("mine.yml")) == Path("mine.yml")
