"""What is remembered of a local instance: one JSON file each, there only once something was changed."""

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from scaler.domain.errors import StoreError
from scaler.domain.instance import InstanceState, TagKey

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """A local instance, as far as it is remembered."""

    state: InstanceState
    """Running or stopped: its changes are immediate."""
    type_name: str
    launched_at: datetime | None = None
    records: Mapping[TagKey, str] = field(default_factory=dict)


class Store:
    """The files under `$XDG_STATE_HOME/scale/local` (default `~/.local/state`).

    Every method raises `StoreError` where a file cannot be read, written or understood.
    """

    def __init__(self, fresh: Record) -> None:
        self._fresh = fresh
        """What every instance is before its first change."""

    @property
    def directory(self) -> Path:
        # Read at each use: tests and `env` change it; the basedir specification ignores relative paths.
        base = os.environ.get("XDG_STATE_HOME", "")
        return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "scale" / "local"

    def load(self, name: str) -> Record:
        """The instance as it is now."""
        path = self._path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return self._fresh
        except (OSError, UnicodeDecodeError) as error:
            raise _corrupt(path, str(error)) if isinstance(error, UnicodeDecodeError) else _unusable(path, error) from error
        try:
            return _decode(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _corrupt(path, str(error)) from error

    def names(self) -> list[str]:
        """Of all instances that were ever changed, sorted."""
        try:
            return sorted(entry.stem for entry in self.directory.glob("*.json"))
        except OSError as error:
            raise _unusable(self.directory, error) from error

    def change(self, name: str, new: Callable[[Record], Record]) -> None:
        """Replace the record by `new(record)`, alone among all processes; nothing is written where nothing changes."""
        try:
            with self._alone():
                before = self.load(name)
                after = new(before)
                if after != before:
                    _write(self._path(name), json.dumps(_encode(after), indent=2) + "\n")
        except OSError as error:
            raise _unusable(self._path(name), error) from error

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # One lock for all: names begin with a letter or digit, so no instance's file is called `.lock`.
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.directory / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _encode(record: Record) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "state": record.state,
        "type": record.type_name,
        "launched_at": None if record.launched_at is None else record.launched_at.isoformat(),
        "records": dict(record.records),
    }


def _decode(data: Any) -> Record:  # noqa: ANN401 - whatever JSON holds
    if data["schema"] != SCHEMA:
        raise ValueError(f"it has schema {data['schema']!r} and this scale reads {SCHEMA}")
    state = InstanceState(data["state"])
    if state not in {InstanceState.RUNNING, InstanceState.STOPPED}:
        raise ValueError(f"no local instance is ever {state}")
    launched_at = data["launched_at"]
    records = {TagKey(key): str(value) for key, value in data["records"].items()}
    return Record(state, str(data["type"]), launched_at and datetime.fromisoformat(launched_at), records)


def _corrupt(path: Path, why: str) -> StoreError:
    return StoreError(
        f"{path} does not hold a local instance: {why}.",
        hint=f"Put the file right, or remove it to begin again with this instance running on the smallest type: rm '{path}'",
    )


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be used: {error.strerror or error}.",
        hint=f"Make {path.parent} readable and writable for this user, or name another folder in XDG_STATE_HOME.",
    )
