"""What scale says when something is in its way: nothing is lost, and the exit code is the documented one."""

import json
import subprocess
import sys

from tests.functional.conftest import Cloud, Scale

LIVE = "v1 forward from=256MiB to=512MiB next= run=1 owner=other:1 token=aa lease=4102444800 start=1700000000 end=4102444800"


def held(scale: Scale, name: str) -> None:
    """Let an instance look as if another process were changing it."""
    code = f"from scaler_providers.local.provider import LocalProvider as P; from scaler.domain.instance import TagKey as K; P().write_tag('local:{name}', K.INTENT, {LIVE!r})"
    subprocess.run([sys.executable, "-c", code], env=scale.environment, check=True)


def test_a_reader_that_is_gone_changes_neither_the_work_nor_the_exit_code(scale: Scale) -> None:
    shell = 'exec "$@" --yes --to 512MiB >&-'
    done = subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-m", "scaler", "up", "local:piped"],
        cwd=scale.folder,
        env=scale.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert scale("status", "local:piped", "--format", "json").json()["type"] == "512MiB"


def test_a_pipe_whose_reader_ends_early_does_not_either(scale: Scale) -> None:
    shell = '"$@" --yes --to 512MiB | true; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-m", "scaler", "up", "local:piped"],
        cwd=scale.folder,
        env=scale.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout.strip(), "Traceback" in done.stderr, "Exception ignored" in done.stderr) == ("0", False, False)


def test_one_name_that_cannot_be_resumed_does_not_hold_up_the_others(cloudy: Scale) -> None:
    done = cloudy("resume", "local:first", "ec2:no-such-machine", "local:last", "--format", "json")

    assert done.code == 3
    assert "no-such-machine" in done.err
    operations = done.json()["operations"]
    assert isinstance(operations, list)
    assert [one["instance"] for one in operations] == ["local:first", "local:last"]


def test_a_provider_that_fails_does_not_hide_the_others_and_is_no_success(cloudy: Scale, cloud: Cloud) -> None:
    done = cloudy("resume", "--all", "--format", "json", env={"AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": "not a url"})

    assert done.code != 0 or "not searched" in done.err
    assert json.loads(done.out)["schema"] == "scale.operation_list/1"


def test_one_instance_without_an_intent_is_one_operation_that_changed_nothing(scale: Scale) -> None:
    done = scale("resume", "local:x", "--format", "json")

    assert done.code == 0
    assert (done.json()["schema"], done.json()["outcome"]) == ("scale.operation/1", "unchanged")


def test_a_lock_that_is_held_is_a_refusal_in_json_too(scale: Scale) -> None:
    held(scale, "x")

    done = scale("up", "local:x", "--yes", "--format", "json")

    assert done.code == 3
    assert (done.json()["schema"], done.json()["outcome"]) == ("scale.operation/1", "refused")
    assert "other:1" in str(done.json()["hint"])
