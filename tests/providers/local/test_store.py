import json
import multiprocessing
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scaler.domain.errors import StoreError
from scaler.domain.instance import InstanceState, TagKey
from scaler_providers.local.store import Record, Store

FRESH = Record(InstanceState.RUNNING, "256MiB")
GOOD = {"schema": 1, "state": "stopped", "type": "1GiB", "launched_at": None, "records": {}}


def test_what_was_changed_comes_back_as_it_was(state_home: Path) -> None:
    record = Record(InstanceState.STOPPED, "1GiB", datetime(2026, 11, 23, 12, 0, 1, 5, tzinfo=UTC), {TagKey.INTENT: "v1 x=1"})

    Store(FRESH).change("web", lambda _: record)

    assert Store(FRESH).load("web") == record
    assert sorted(path.name for path in state_home.iterdir()) == [".lock", "web.json"]


def test_reading_and_changing_nothing_write_nothing(state_home: Path) -> None:
    store = Store(FRESH)

    store.change("web", lambda record: record)

    assert store.load("web") == FRESH
    assert store.names() == []
    assert list(state_home.glob("*.json")) == []


def test_a_relative_state_home_is_ignored_as_its_specification_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert Store(FRESH).directory == tmp_path / ".local" / "state" / "scale" / "local"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        json.dumps({**GOOD, "schema": 2}),
        json.dumps({**GOOD, "state": "gone"}),
        json.dumps({**GOOD, "state": "asleep"}),
        json.dumps({**GOOD, "records": {"other": "x"}}),
        json.dumps({**GOOD, "records": []}),
        json.dumps({**GOOD, "launched_at": "yesterday"}),
        "\udcff",
    ],
)
def test_a_corrupt_file_is_named_with_what_to_do_and_kept(state_home: Path, content: str) -> None:
    state_home.mkdir(parents=True)
    path = state_home / "web.json"
    path.write_text(content, errors="surrogateescape")

    for use in (lambda: Store(FRESH).load("web"), lambda: Store(FRESH).change("web", lambda record: record)):
        with pytest.raises(StoreError) as caught:
            use()
        assert str(path) in str(caught.value)
        assert f"rm '{path}'" in caught.value.hint
    assert path.read_bytes() == content.encode(errors="surrogateescape")


def test_a_folder_that_cannot_be_made_is_named(state_home: Path) -> None:
    state_home.parent.write_text("a file where the folder should be")

    with pytest.raises(StoreError, match="cannot be used") as caught:
        Store(FRESH).change("web", lambda record: replace(record, type_name="1GiB"))

    assert str(state_home) in caught.value.hint


def test_a_write_that_fails_leaves_the_old_record_and_no_temporary_file(state_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(FRESH)
    store.change("web", lambda record: replace(record, type_name="1GiB"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.change("web", lambda record: replace(record, type_name="2GiB"))

    assert store.load("web").type_name == "1GiB"
    assert sorted(path.name for path in state_home.iterdir()) == [".lock", "web.json"]


def test_no_change_of_concurrent_writers_is_lost(state_home: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_count, args=(25,)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
        writer.close()

    assert Store(FRESH).load("web").records[TagKey.PEAKS] == "100"


def _count(times: int) -> None:
    for _ in range(times):
        Store(FRESH).change(
            "web", lambda record: replace(record, records={TagKey.PEAKS: str(int(record.records.get(TagKey.PEAKS, "0")) + 1)})
        )
