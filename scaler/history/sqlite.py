"""The local record of past deploys and operations, in one SQLite file.

The schema is a list of numbered migrations; `PRAGMA user_version` says how many were applied.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from scaler.domain.errors import StoreError
from scaler.domain.instance import InstanceId
from scaler.domain.outcome import DeployRecord, OperationResult, Outcome, StepTaken
from scaler.domain.rules import Cause

_MIGRATIONS = (
    """
    CREATE TABLE deploys (
        id INTEGER PRIMARY KEY, instance TEXT, target TEXT, command TEXT NOT NULL, began_at TEXT NOT NULL, seconds REAL NOT NULL,
        exit_code INTEGER NOT NULL, cause TEXT, limit_bytes INTEGER, peak_bytes INTEGER, type_name TEXT
    );
    CREATE INDEX deploys_by_instance ON deploys (instance, began_at);
    CREATE TABLE operations (
        id INTEGER PRIMARY KEY, instance TEXT NOT NULL, outcome TEXT NOT NULL, from_type TEXT NOT NULL, to_type TEXT NOT NULL,
        started_at TEXT NOT NULL, ended_at TEXT NOT NULL, downtime_seconds REAL NOT NULL, steps TEXT NOT NULL, hint TEXT NOT NULL
    );
    CREATE INDEX operations_by_instance ON operations (instance, started_at);
    """,
)

_Row = tuple[object, ...]
_T = TypeVar("_T")

_DEPLOY_COLUMNS = "instance, target, command, began_at, seconds, exit_code, cause, limit_bytes, peak_bytes, type_name"
_OPERATION_COLUMNS = "instance, outcome, from_type, to_type, started_at, ended_at, downtime_seconds, steps, hint"


class SqliteStore:
    """A `Store` in one file, made when first written. Several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add_deploy(self, record: DeployRecord) -> None:
        values = (
            record.instance,
            record.target,
            record.command.encode(errors="backslashreplace").decode(),  # an argument need not be UTF-8, text in SQLite must
            _stamp(record.began_at),
            record.seconds,
            record.exit_code,
            record.cause,
            record.limit_bytes,
            record.peak_bytes,
            record.type_name,
        )
        with self._open() as db:
            db.execute(f"INSERT INTO deploys ({_DEPLOY_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", values)  # noqa: S608 - constants

    def add_operation(self, result: OperationResult) -> None:
        steps = json.dumps([[step.step, _stamp(step.at), step.why] for step in result.steps])
        values = (
            result.instance,
            result.outcome,
            result.from_type,
            result.to_type,
            _stamp(result.started_at),
            _stamp(result.ended_at),
            result.downtime_seconds,
            steps,
            result.hint,
        )
        with self._open() as db:
            db.execute(f"INSERT INTO operations ({_OPERATION_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", values)  # noqa: S608 - constants

    def deploys(self, instance: InstanceId | None = None, limit: int = 50) -> Sequence[DeployRecord]:
        return self._read(_deploy, "deploys", _DEPLOY_COLUMNS, "began_at", instance, limit)

    def operations(self, instance: InstanceId | None = None, limit: int = 50) -> Sequence[OperationResult]:
        return self._read(_operation, "operations", _OPERATION_COLUMNS, "started_at", instance, limit)

    def _read(self, of: Callable[[_Row], _T], table: str, columns: str, order: str, instance: str | None, limit: int) -> list[_T]:
        if not self._path.exists():
            return []
        query = f"SELECT {columns} FROM {table} WHERE ?1 IS NULL OR instance = ?1 ORDER BY {order} DESC, id DESC LIMIT ?2"  # noqa: S608 - constants
        with self._open() as db:
            return [of(row) for row in db.execute(query, (instance, limit))]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            # Command lines are recorded, and people put secrets on them: nobody else may read this.
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
                _migrate(db)
                yield db
        except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: a row with a word that only a later version knows
            text = f"The history in {self._path} could not be used: {error}. Deploys and instances are not affected."
            raise StoreError(text, hint="Move the file away to begin a new one.") from error


def _migrate(db: sqlite3.Connection) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version >= len(_MIGRATIONS):
        return
    db.execute("BEGIN IMMEDIATE")
    (version,) = db.execute("PRAGMA user_version").fetchone()  # another process may have been first
    for number, script in enumerate(_MIGRATIONS[version:], version + 1):
        for statement in filter(str.strip, script.split(";")):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {number}")
    db.commit()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _deploy(row: _Row) -> DeployRecord:
    instance, target, command, began_at, seconds, exit_code, cause, limit_bytes, peak_bytes, type_name = row
    return DeployRecord(
        instance=None if instance is None else InstanceId(str(instance)),
        target=None if target is None else str(target),
        command=str(command),
        began_at=datetime.fromisoformat(str(began_at)),
        seconds=float(str(seconds)),
        exit_code=int(str(exit_code)),
        cause=None if cause is None else Cause(str(cause)),
        limit_bytes=None if limit_bytes is None else int(str(limit_bytes)),
        peak_bytes=None if peak_bytes is None else int(str(peak_bytes)),
        type_name=None if type_name is None else str(type_name),
    )


def _operation(row: _Row) -> OperationResult:
    instance, outcome, from_type, to_type, started_at, ended_at, downtime, steps, hint = map(str, row)
    return OperationResult(
        instance=InstanceId(instance),
        outcome=Outcome(outcome),
        from_type=from_type,
        to_type=to_type,
        started_at=datetime.fromisoformat(started_at),
        ended_at=datetime.fromisoformat(ended_at),
        downtime_seconds=float(downtime),
        steps=tuple(StepTaken(step, datetime.fromisoformat(at), why) for step, at, why in json.loads(steps)),
        hint=hint,
    )
