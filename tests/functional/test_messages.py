"""What scale says when something is in its way: nothing is lost, and the exit code is the documented one."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from scaler.domain.operation import Goal, Intent
from tests.functional.conftest import Scale

NOW = datetime.now(UTC)
LIVE = Intent(
    from_type="256MiB",
    to_type="512MiB",
    fallbacks=(),
    goal=Goal.FORWARD,
    was_running=True,
    owner="other:1",
    token="aa11",  # noqa: S106 - any will do
    lease_until=NOW + timedelta(hours=1),
    started_at=NOW - timedelta(minutes=2),
    deadline=NOW + timedelta(hours=1),
)
DEAD = replace(LIVE, lease_until=NOW - timedelta(minutes=1))
CREDENTIALS = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
OUT_OF_MEMORY = b"[ 1.0] Out of memory: Killed process 7 (node) total-vm:900000kB, anon-rss:240000kB, file-rss:0kB, shmem-rss:0kB\n"
_WRITE = """\
import sys
from scaler.domain.instance import InstanceId, TagKey
from scaler_providers.local.provider import LocalProvider
LocalProvider().write_tag(InstanceId("local:" + sys.argv[1]), TagKey.INTENT, sys.argv[2])
"""


def leave(scale: Scale, name: str, intent: Intent) -> None:
    """Let another process have left its intent on a local instance."""
    subprocess.run([sys.executable, "-c", _WRITE, name, intent.encode()], env=scale.environment, check=True)


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


@pytest.fixture
def denying() -> Iterator[str]:
    """The endpoint of an EC2 that allows nothing."""
    with HTTPServer(("127.0.0.1", 0), Denying) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Denying(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(403)
        self.end_headers()
        self.wfile.write(
            b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"
        )

    def log_message(self, *_arguments: object) -> None:
        """Keep the tests' output quiet."""


def test_a_provider_that_fails_does_not_hide_the_others_and_is_no_success(scale: Scale, denying: str) -> None:
    leave(scale, "left", DEAD)
    scale.environment.update(CREDENTIALS)

    done = scale("resume", "--all", "--format", "json", env={"AWS_ENDPOINT_URL": denying})

    assert done.code == 3
    assert "ec2 could not be searched" in done.err
    assert "ec2:DescribeInstances" in done.err
    assert [one["instance"] for one in done.json()["operations"]] == ["local:left"]


def test_an_endpoint_that_is_none_is_an_error_too(scale: Scale) -> None:
    done = scale("resume", "--all", "--format", "json", env={**CREDENTIALS, "AWS_ENDPOINT_URL": "not a url"})

    assert (done.code, done.json()["operations"]) == (2, [])


def test_credentials_that_are_set_up_wrongly_are_an_error_but_none_at_all_are_not(scale: Scale) -> None:
    wrong = scale("resume", "--all", env={"AWS_DEFAULT_REGION": "us-east-1", "AWS_PROFILE": "nobody"})
    absent = scale("resume", "--all", env={"AWS_DEFAULT_REGION": "us-east-1"})

    assert (wrong.code, absent.code) == (3, 0)
    assert "ec2 was not searched" in absent.err


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (None, "no policy file: no health checks are run"),
        ("targets: {other: {instance: 'local:other'}}\n", "does not name x: no health checks are run"),
        ("targets: {here: {instance: 'local:x'}}\n", None),
    ],
)
def test_resume_says_where_no_health_checks_are_run(scale: Scale, policy: str | None, said: str | None) -> None:
    leave(scale, "x", DEAD)
    if policy:
        scale.policy(policy)

    done = scale("resume", "local:x")

    assert done.code == 0
    assert said in done.err if said else "no health checks" not in done.err


@pytest.mark.parametrize(
    "begin", [["up", "here", "--yes"], ["after", "--target", "here", "--exit-code", "137", "--log", "-", "--yes"]]
)
def test_an_operation_left_unfinished_names_the_policy_that_resuming_needs(scale: Scale, local: str, begin: list[str]) -> None:
    path = scale.folder / "elsewhere.yml"
    path.write_text(f"version: 1\nhealth: [{{tcp: '127.0.0.1:9', timeout: 60s}}]\ntargets: {{here: {{instance: '{local}'}}}}\n")
    with scale.start(*begin, "--policy", str(path)) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(OUT_OF_MEMORY)
        process.stdin.close()
        assert any(b"health check (" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        err = process.stderr.read()

    assert f"--policy {path}".encode() in err


@pytest.mark.parametrize(
    "command", [["policy", "schema"], ["policy", "check", "scale.yml"], ["policy", "show"], ["status", "local:x"], ["history"]]
)
def test_no_command_minds_that_nobody_reads_its_result(scale: Scale, command: list[str]) -> None:
    scale.policy("targets: {here: {instance: 'local:x'}}\n")
    read, write = os.pipe()
    os.close(read)
    try:
        arguments = [sys.executable, "-m", "scaler", *command]
        done = subprocess.run(arguments, cwd=scale.folder, env=scale.environment, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


def test_one_instance_without_an_intent_is_one_operation_that_changed_nothing(scale: Scale) -> None:
    done = scale("resume", "local:x", "--format", "json")

    assert done.code == 0
    assert (done.json()["schema"], done.json()["outcome"]) == ("scale.operation/1", "unchanged")


def test_a_lock_that_is_held_is_a_refusal_in_json_too(scale: Scale) -> None:
    leave(scale, "x", LIVE)

    done = scale("up", "local:x", "--yes", "--format", "json")

    assert done.code == 3
    assert (done.json()["schema"], done.json()["outcome"]) == ("scale.operation/1", "refused")
    assert "other:1 is changing x" in str(done.json()["hint"])
