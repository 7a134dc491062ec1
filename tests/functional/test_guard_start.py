"""A deploy that succeeds pays for nothing that only a failure needs."""

import subprocess
import sys

from tests.functional.conftest import Scale

_PROGRAM = """
import sys
from scaler.cli.main import main
sys.argv = ["scale", "guard", "--", *sys.argv[1:]]
try:
    main()
finally:
    heavy = {"asyncio", "boto3", "botocore", "importlib.metadata", "jinja2", "pydantic", "rich", "tenacity", "urllib.request", "yaml"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def guarded(scale: Scale, *deploy: str) -> tuple[int, str]:
    """Guard a deploy; its exit code and which of the heavy modules were loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *deploy],
        cwd=scale.folder,
        env=scale.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_deploy_that_succeeds_loads_no_cloud_no_retries_and_no_reader_of_policies(scale: Scale) -> None:
    assert guarded(scale, "true") == (0, "[]")


def test_a_policy_file_is_seen_to_load_its_reader(scale: Scale) -> None:
    (scale.folder / "scale.yml").write_text("no policy")

    code, loaded = guarded(scale, "true")

    assert code == 2
    assert "pydantic" in loaded
