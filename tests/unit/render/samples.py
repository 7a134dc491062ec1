"""One of each thing there is to tell, small enough to be read whole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from scaler.domain.choice import Wish, consider
from scaler.domain.diagnosis import Diagnosis, diagnose
from scaler.domain.evidence import Counters, Evidence, KernelLog, OutputLine
from scaler.domain.instance import (
    CheckLevel,
    Finding,
    Health,
    Instance,
    InstanceId,
    InstanceState,
    InstanceType,
    Offering,
    TagKey,
)
from scaler.domain.need import Need, Part
from scaler.domain.operation import LEASE, Goal, Intent
from scaler.domain.outcome import DeployRecord, OperationResult, Outcome, StepTaken
from scaler.domain.peaks import Peak, encode
from scaler.domain.plan import Plan
from scaler.domain.policy import Limits, Remedy
from scaler.domain.rules import Cause
from scaler.domain.units import GIB, MIB

NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)
WEB = Instance(
    InstanceId("ec2:eu-west-1/i-0abc"),
    "web-1",
    InstanceState.RUNNING,
    "t3.small",
    "eu-west-1a",
    "x86_64",
    Health.OK,
    public_address="198.51.100.7",
    private_address="10.0.0.7",
)


def offering(name: str, mib: int, vcpus: int, usd_per_hour: str | None, source: str = "") -> Offering:
    kind = InstanceType(name, mib, Decimal(vcpus), "x86_64", name.partition(".")[0], is_burstable=name.startswith("t"))
    return Offering(kind, "eu-west-1a", None if usd_per_hour is None else Decimal(usd_per_hour), source)


SMALL = offering("t3.small", 2048, 2, "0.0208")
MEDIUM = offering("t3.medium", 4096, 2, "0.0416", "AWS price list, 2026-11-20")
LARGE = replace(offering("t3.large", 8192, 2, "0.0832"), warnings=("its credits run out under steady load",))
HUGE = offering("r7i.xlarge", 32768, 4, "0.2646")

NEED = Need(2 * GIB, 4 * GIB, 8 * GIB, (Part("known to be too little", 2 * GIB, "killed"), Part("growth", 2 * GIB, "prior")), 0.5)
PLAN = Plan(
    WEB,
    SMALL,
    NEED,
    Remedy.RESIZE,
    MEDIUM,
    (LARGE,),
    consider([SMALL, MEDIUM, LARGE, HUGE], SMALL, Wish(4 * GIB, 2 * GIB, Limits(max_memory_bytes=16 * GIB))),
    (
        Finding(CheckLevel.WARNING, "no_elastic_ip", "its public address will change"),
        Finding(CheckLevel.BLOCKER, "never_here", "a blocker is no warning"),
    ),
    (),
    ("write the intent on web-1", "stop web-1"),
    75.0,
)

TABLE = """\
[  100.000000] node invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0
[  100.000001] 524288 pages RAM
[  100.000002] 24288 pages reserved
[  100.000003] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[  100.000004] [    412]   115   412   389208    21000  5562368        0          -900 postgres
[  100.000005] [  14956]     0 14956   389208   315731  5562368        0             0 webpack
[  100.000006] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=webpack,pid=14956,uid=0
[  100.000007] Out of memory: Killed process 14956 (webpack) total-vm:1556832kB, anon-rss:1240000kB, file-rss:22924kB, shmem-rss:0kB, UID:0
"""
DIAGNOSIS: Diagnosis = diagnose(
    Evidence(1, (OutputLine(7, "\x1b[31mKilled\x1b[0m"),), (KernelLog(TABLE, "kernel"),), Counters(1)),
)

OPERATION = OperationResult(
    WEB.id,
    Outcome.DONE,
    "t3.small",
    "t3.medium",
    NOW,
    NOW + timedelta(seconds=95),
    71.5,
    (StepTaken("stop", NOW, "it runs as t3.small"), StepTaken("finish", NOW + timedelta(seconds=95), "it runs as t3.medium")),
)

INTENT = Intent(
    "t3.small", "t3.medium", (), Goal.FORWARD, True, "ci-7:4711", "0a1b2c3d", NOW + LEASE, NOW, NOW + timedelta(minutes=15)
)
PEAKS = (Peak(4 * GIB, 1536 * MIB, was_oom=False, at=NOW), Peak(2 * GIB, None, was_oom=True, at=NOW - timedelta(days=1)))
BUSY = replace(WEB, records={TagKey.INTENT: INTENT.encode(), TagKey.PEAKS: encode(PEAKS)})

DEPLOY = DeployRecord(
    WEB.id, "production", "cap production deploy", NOW, 61.25, 137, Cause.INSTANCE_MEMORY, 2 * GIB, 2 * GIB - MIB, "t3.small"
)
PASSED = DeployRecord(None, "production", "cap production deploy", NOW, 3725.0, 0, None, None, None, None)
