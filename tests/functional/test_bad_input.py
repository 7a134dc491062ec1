"""Bad input: a clear error, the documented exit code, nothing changed."""

import os
from pathlib import Path

import pytest

from tests.functional.conftest import Cloud, Scale


def test_an_unknown_instance_is_named_with_the_region_that_was_searched(cloudy: Scale) -> None:
    done = cloudy("status", "ec2:i-0123456789abcdef0")

    assert done.code == 3
    assert "i-0123456789abcdef0" in done.err
    assert "us-east-1" in done.err


def test_without_credentials_it_is_said_how_to_give_them(scale: Scale) -> None:
    done = scale("status", "ec2:eu-west-1/i-0123456789abcdef0")

    assert done.code == 3
    assert "credentials" in done.err


def test_a_region_that_does_not_exist_is_answered_with_the_nearest(cloudy: Scale) -> None:
    done = cloudy("up", "ec2:us-esat-1/i-0123456789abcdef0")

    assert done.code == 2
    assert "us-east-1" in done.err


@pytest.mark.slow
def test_an_endpoint_that_is_down_is_named(cloudy: Scale, cloud: Cloud) -> None:
    done = cloudy("status", cloud.reference, env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})

    assert done.code == 4
    assert "http://127.0.0.1:9" in done.err


@pytest.mark.parametrize("reference", ["ec2:", "ec2:i-0abc def", "EC2:i-0abc", "web;rm -rf:x", "moon:x"])
def test_what_is_no_reference_is_refused(scale: Scale, reference: str) -> None:
    done = scale("status", reference)

    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_provider_that_is_not_there_is_answered_with_those_that_are(scale: Scale) -> None:
    done = scale("status", "azure:web-1")

    assert done.code == 2
    assert "ec2, local" in done.err


def test_a_command_that_does_not_exist_ends_with_127(scale: Scale) -> None:
    done = scale("guard", "--instance", "local:x", "--", "no-such-command-8f2c")

    assert done.code == 127
    assert "no-such-command-8f2c" in done.err


def test_a_command_that_is_not_executable_ends_with_126(scale: Scale) -> None:
    (scale.folder / "deploy.txt").write_text("echo hello\n")

    done = scale("guard", "--instance", "local:x", "--", "./deploy.txt")

    assert done.code == 126
    assert "deploy.txt" in done.err


@pytest.mark.parametrize("arguments", [["--"], ["--", ""], []])
def test_an_empty_command_is_refused(scale: Scale, arguments: list[str]) -> None:
    done = scale("guard", *arguments)

    assert done.code == 2


def test_a_command_without_dashes_is_answered_with_where_to_put_them(scale: Scale) -> None:
    done = scale("guard", "make", "deploy")

    assert done.code == 2
    assert "--" in done.err


def test_a_policy_file_that_is_not_yaml_is_refused_before_the_deploy_runs(scale: Scale) -> None:
    (scale.folder / "scale.yml").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")

    done = scale("guard", "--instance", "local:x", "--", "touch", "it-ran")

    assert done.code == 2
    assert "scale.yml:1" in done.err
    assert not (scale.folder / "it-ran").exists()


def test_a_policy_file_that_is_not_there_is_named(scale: Scale) -> None:
    done = scale("plan", "local:x", "--policy", "nowhere.yml")

    assert done.code == 2
    assert "nowhere.yml" in done.err


def test_a_directory_as_log_file_is_refused(scale: Scale) -> None:
    done = scale("after", "--exit-code", "1", "--log", ".", "--instance", "local:x")

    assert done.code == 2
    assert "directory" in done.err.lower()


def test_binary_garbage_in_a_log_is_read_as_what_it_is(scale: Scale) -> None:
    (scale.folder / "deploy.log").write_bytes(os.urandom(200_000) + b"\nCannot allocate memory\n" + b"\xff\xfe\x00" * 10_000)

    done = scale("diagnose", "--exit-code", "1", "--log", "deploy.log", "--format", "json")

    assert done.code == 0
    assert done.json()["cause"] == "instance_memory"


def test_nothing_to_diagnose_is_a_usage_error(scale: Scale) -> None:
    assert scale("diagnose").code == 2


def test_a_type_that_does_not_exist_is_answered_with_the_nearest(cloudy: Scale, cloud: Cloud) -> None:
    done = cloudy("up", cloud.reference, "--to", "t3.smal", "--yes")

    assert done.code == 2
    assert "t3.small" in done.err
    assert cloudy("status", cloud.reference, "--format", "json").json()["type"] == "t3.micro"


@pytest.mark.parametrize("amount", ["lots", "0", "-1GiB", "8 parsecs"])
def test_what_is_no_amount_of_memory_is_refused(scale: Scale, amount: str) -> None:
    done = scale("up", "local:x", "--memory", amount)

    assert done.code == 2
    assert amount in done.err


def test_no_terminal_and_no_yes_changes_nothing(scale: Scale) -> None:
    done = scale("up", "local:x")

    assert done.code == 3
    assert "--yes" in done.err
    assert scale("status", "local:x", "--format", "json").json()["type"] == "256MiB"


def test_a_report_that_cannot_be_written_is_refused_before_the_deploy_runs(scale: Scale, tmp_path: Path) -> None:
    done = scale("guard", "--instance", "local:x", "--report", "nowhere/report.json", "--", "touch", "it-ran")

    assert done.code == 2
    assert not (scale.folder / "it-ran").exists()
