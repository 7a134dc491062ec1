"""How days, times of day and time zones are written in a policy file."""

from collections.abc import Callable
from datetime import time
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import PlainValidator

from scaler.domain.policy import Weekday
from scaler.policyfile.checks import matches, one_of, refusal, string, words
from scaler.policyfile.problems import did_you_mean, quoted

_FROM = r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$"
_TO = r"^(([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_ZONE = r"^[A-Za-z0-9][A-Za-z0-9_+/-]*$"

_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = {**{day.value: day for day in Weekday}, **dict(zip(_FULL_NAMES, Weekday, strict=True))}


def _time(pattern: str) -> Callable[[object], time]:
    def check(value: object) -> time:
        if not matches(value, pattern):
            raise refusal(f"{quoted(value)} is not a time of day. Write it like 22:30.")
        hour, minute = value.split(":")
        return time(int(hour) % 24, int(minute))

    return check


def _zone(value: object) -> ZoneInfo:
    if matches(value, _ZONE):
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            pass
    known = available_timezones()
    if not known:
        raise refusal("this machine has no time zones to look it up in. Install its package tzdata.")
    near = did_you_mean(value, known) if isinstance(value, str) else ""
    raise refusal(f"{quoted(value)} is not a time zone.{near} Write an IANA name like Europe/Berlin or UTC.")


Day = Annotated[Weekday, PlainValidator(one_of(_DAYS, "a day", list(Weekday))), words(list(_DAYS))]
StartTime = Annotated[time, PlainValidator(_time(_FROM)), string(_FROM, "22:30")]
EndTime = Annotated[time, PlainValidator(_time(_TO)), string(_TO, "06:00", "24:00")]
Zone = Annotated[ZoneInfo, PlainValidator(_zone), string(_ZONE, "Europe/Berlin", "UTC")]
