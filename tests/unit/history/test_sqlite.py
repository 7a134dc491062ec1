"""The local record: what is written is read, by several processes at once, and a file that cannot be used says so."""

import multiprocessing
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaler.domain.errors import StoreError
from scaler.domain.instance import InstanceId
from scaler.domain.outcome import DeployRecord, OperationResult, Outcome, StepTaken
from scaler.domain.rules import Cause
from scaler.history.sqlite import SqliteStore

NOW = datetime(2026, 11, 23, 21, 30, 0, 123_000, tzinfo=UTC)
WEB, DB = InstanceId("ec2:eu-west-1/i-0abc"), InstanceId("local:db")


def deploy(instance: InstanceId | None = WEB, minutes: float = 0, command: str = "cap production deploy") -> DeployRecord:
    return DeployRecord(
        instance,
        "production",
        command,
        NOW + timedelta(minutes=minutes),
        61.5,
        137,
        Cause.INSTANCE_MEMORY,
        2**31,
        2**30,
        "t3.small",
    )


def operation(instance: InstanceId = WEB, minutes: float = 0) -> OperationResult:
    at = NOW + timedelta(minutes=minutes)
    steps = (StepTaken("stop", at, "it runs as t3.small"), StepTaken("start", at + timedelta(seconds=40), "it is stopped “now”"))
    return OperationResult(instance, Outcome.DONE, "t3.small", "t3.large", at, at + timedelta(seconds=90), 71.25, steps, "")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "state" / "history.db")


def test_what_was_never_written_reads_as_nothing_and_makes_no_file(store: SqliteStore, tmp_path: Path) -> None:
    assert store.deploys() == []
    assert store.operations() == []
    assert list(tmp_path.iterdir()) == []


def test_a_deploy_and_an_operation_read_back_as_written(store: SqliteStore) -> None:
    store.add_deploy(deploy())
    store.add_operation(operation())

    assert store.deploys() == [deploy()]
    assert store.operations() == [operation()]


def test_what_is_not_known_of_a_deploy_reads_back_as_not_known(store: SqliteStore) -> None:
    bare = DeployRecord(None, None, "make", NOW, 0.0, 0, None, None, None, None)

    store.add_deploy(bare)

    assert store.deploys() == [bare]


def test_an_argument_that_is_not_utf8_is_kept_readably(store: SqliteStore) -> None:
    store.add_deploy(deploy(command=b"make caf\xe9".decode(errors="surrogateescape")))

    (read,) = store.deploys()
    assert read.command == "make caf\\udce9"


def test_a_moment_of_another_zone_reads_back_as_the_same_moment_in_utc(store: SqliteStore) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    record = DeployRecord(WEB, None, "make", there, 1.0, 0, None, None, None, None)

    store.add_deploy(record)

    (read,) = store.deploys()
    assert read.began_at == there
    assert read.began_at.tzinfo is UTC


def test_the_newest_come_first_whatever_the_order_of_writing(store: SqliteStore) -> None:
    for minutes in (5, 1, 9):
        store.add_deploy(deploy(minutes=minutes))
        store.add_operation(operation(minutes=minutes))

    assert [one.began_at.minute for one in store.deploys()] == [39, 35, 31]
    assert [one.started_at.minute for one in store.operations()] == [39, 35, 31]


def test_of_two_at_the_same_moment_the_one_written_last_comes_first(store: SqliteStore) -> None:
    store.add_deploy(deploy(command="first"))
    store.add_deploy(deploy(command="second"))

    assert [one.command for one in store.deploys()] == ["second", "first"]


def test_at_most_the_limit_is_read_and_50_where_none_is_given(store: SqliteStore) -> None:
    for minutes in range(51):
        store.add_deploy(deploy(minutes=minutes))

    assert [one.began_at for one in store.deploys(limit=2)] == [NOW + timedelta(minutes=50), NOW + timedelta(minutes=49)]
    assert len(store.deploys()) == 50


def test_one_instances_record_holds_nothing_of_the_others(store: SqliteStore) -> None:
    for instance in (WEB, DB, None):
        store.add_deploy(deploy(instance))
    for instance in (WEB, DB):
        store.add_operation(operation(instance))

    assert [one.instance for one in store.deploys(DB)] == [DB]
    assert [one.instance for one in store.operations(DB)] == [DB]
    assert len(store.deploys()) == 3
    assert store.deploys(InstanceId("local:nobody")) == []


def test_another_store_on_the_same_file_reads_what_was_written(store: SqliteStore, tmp_path: Path) -> None:
    store.add_deploy(deploy())

    assert SqliteStore(tmp_path / "state" / "history.db").deploys() == [deploy()]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts, texts, st.sampled_from(Cause), st.integers(min_value=0, max_value=2**50), st.floats(min_value=0, max_value=1e6))
def test_any_words_and_amounts_read_back(tmp_path: Path, words: str, why: str, cause: Cause, amount: int, seconds: float) -> None:
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    store = SqliteStore(path)
    record = DeployRecord(InstanceId(words), why, words, NOW, seconds, 1, cause, amount, amount, words)
    result = OperationResult(WEB, Outcome.ROLLED_BACK, words, why, NOW, NOW, seconds, (StepTaken(words, NOW, why),), why)

    store.add_deploy(record)
    store.add_operation(result)

    assert store.deploys() == [record]
    assert store.operations() == [result]


def _write(path: str, name: str, count: int) -> None:
    store = SqliteStore(Path(path))
    for number in range(count):
        store.add_deploy(deploy(InstanceId(f"local:{name}"), number))


def test_several_processes_begin_and_write_one_file_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path, context = tmp_path / "shared.db", multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(str(path), f"writer{number}", 20)) for number in range(4)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    assert len(SqliteStore(path).deploys(limit=1000)) == 80


@pytest.mark.parametrize(
    "content", [b"this is no database, it is a letter to a friend, and long enough" * 20, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_named_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(content)
    store = SqliteStore(path)

    for use in (store.deploys, store.operations, lambda: store.add_deploy(deploy()), lambda: store.add_operation(operation())):
        with pytest.raises(StoreError) as caught:
            use()
        assert str(path) in str(caught.value)
        assert "not affected" in str(caught.value)
        assert "Move the file away" in caught.value.hint

    assert path.read_bytes() == content


def test_a_file_cut_off_in_the_middle_is_named(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "state" / "history.db"
    for minutes in range(100):
        store.add_deploy(deploy(minutes=minutes))
    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(StoreError, match=str(path)):
        store.deploys()


def test_a_row_that_says_what_no_version_wrote_is_a_store_error(store: SqliteStore, tmp_path: Path) -> None:
    store.add_deploy(deploy())
    store.add_operation(operation())
    path = tmp_path / "state" / "history.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE deploys SET cause = 'witchcraft'")
        db.execute("UPDATE operations SET steps = 'not json'")

    for read in (store.deploys, store.operations):
        with pytest.raises(StoreError, match=str(path)):
            read()


AS_NOBODY = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from scaler.domain.errors import StoreError
from scaler.domain.outcome import DeployRecord
from scaler.history.sqlite import SqliteStore
if os.geteuid() == 0:
    os.setuid(65534)
try:
    SqliteStore(Path(sys.argv[1])).add_deploy(DeployRecord(None, None, "make", datetime.now(UTC), 1.0, 0, None, None, None, None))
except StoreError as error:
    print(error)
    sys.exit(4)
"""


def test_a_folder_that_may_not_be_written_is_named() -> None:
    """As another user where the tests run as root, whom no folder refuses; so not in pytest's own folder, which is closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        path = Path(folder, "history.db")

        done = subprocess.run([sys.executable, "-c", AS_NOBODY, str(path)], capture_output=True, text=True, check=False)

        assert (done.returncode, done.stderr) == (4, "")
        assert f"The history in {path} could not be used" in done.stdout
        assert not path.exists()


def test_a_path_below_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SqliteStore(tmp_path / "file" / "history.db")

    with pytest.raises(StoreError, match=str(tmp_path)):
        store.add_deploy(deploy())


def test_an_empty_file_becomes_a_record_of_the_present_version(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.touch()
    store = SqliteStore(path)

    assert store.deploys() == []
    store.add_operation(operation())

    assert store.operations() == [operation()]
    assert _version(path) == 1


def test_a_migration_that_was_cut_short_is_done_again_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TABLE deploys (id INTEGER PRIMARY KEY)")
        db.rollback()
    store = SqliteStore(path)

    store.add_deploy(deploy())

    assert store.deploys() == [deploy()]


def test_a_later_versions_file_is_used_as_far_as_it_is_alike(store: SqliteStore, tmp_path: Path) -> None:
    store.add_deploy(deploy())
    path = tmp_path / "state" / "history.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE deploys ADD COLUMN mood TEXT")
        db.execute("PRAGMA user_version = 7")

    store.add_deploy(deploy(minutes=1))

    assert len(store.deploys()) == 2
    assert _version(path) == 7


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_nobody_else_may_read_the_command_lines(store: SqliteStore, tmp_path: Path) -> None:
    store.add_deploy(deploy(command="deploy --token=secret"))

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "history.db").stat().st_mode & 0o777 == 0o600
