"""What a deploy's own words mean. One row a rule; the first column of `why` is what a user reads.

Weights are how sure the words alone make us: at 0.8 and above they decide where the kernel is silent, below they only support.
Sources: docs/diagnosis.md says where each was seen.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a deploy died."""

    INSTANCE_MEMORY = "instance_memory"
    HEAP_LIMIT = "heap_limit"
    CONTAINER_LIMIT = "container_limit"
    GPU_MEMORY = "gpu_memory"
    DISK_FULL = "disk_full"
    INTERRUPTED = "interrupted"
    OTHER = "other"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Rule:
    """Words, and what they say."""

    code: str
    pattern: re.Pattern[str]
    cause: Cause
    weight: float
    why: str


def _rule(code: str, cause: Cause, weight: float, pattern: str, why: str, flags: int = 0) -> Rule:
    return Rule(code, re.compile(pattern, flags), cause, weight, why)


RULES: tuple[Rule, ...] = (
    _rule(
        "kernel_report",
        Cause.INSTANCE_MEMORY,
        0.95,
        r"\bOut of memory: Kill(ed)? process \d+",
        "the kernel's own report of a machine out of memory stands in the output",
    ),
    _rule(
        "cgroup_report",
        Cause.CONTAINER_LIMIT,
        0.95,
        r"Memory cgroup out of memory: Kill(ed)? process \d+",
        "the kernel's own report of a control group at its limit stands in the output",
    ),
    _rule(
        "container_oom",
        Cause.CONTAINER_LIMIT,
        0.9,
        r"\bOOMKilled\b(?!\W{0,3}false)|OutOfMemoryError: Container killed due to memory usage|[Cc]ontainer \S* ?(was )?killed .{0,40}(memory limit|OOM)|exceed(ed|s|ing) (the |its )?(container )?memory limit",
        "the container runtime says its memory limit was reached",
    ),
    _rule(
        "gpu_memory",
        Cause.GPU_MEMORY,
        0.95,
        r"(CUDA|HIP|cuda|XPU)( error)?:? ?out of memory|torch\.(cuda\.)?OutOfMemoryError|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|CUBLAS_STATUS_ALLOC_FAILED",
        "the memory of the graphics processor ran out, not the machine's",
    ),
    _rule(
        "v8_heap",
        Cause.HEAP_LIMIT,
        0.95,
        r"(Reached|near) heap limit Allocation failed|JavaScript heap out of memory|ERR_WORKER_OUT_OF_MEMORY|Worker terminated due to reaching memory limit",
        "V8 reached the heap limit it set itself; the machine may have had memory left",
    ),
    _rule(
        "jvm_heap",
        Cause.HEAP_LIMIT,
        0.95,
        r"OutOfMemoryError: (Java heap space|GC overhead limit exceeded|Metaspace|Compressed class space|PermGen space|(Cannot reserve \d+ bytes of )?[Dd]irect buffer memory|Requested array size)|Terminating due to java\.lang\.OutOfMemoryError|Aborting due to java\.lang\.OutOfMemoryError",
        "the JVM reached its own heap limit; the machine may have had memory left",
    ),
    _rule(
        "php_memory_limit",
        Cause.HEAP_LIMIT,
        0.95,
        r"Allowed memory size of \d+ bytes exhausted",
        "PHP reached its own memory_limit; the machine may have had memory left",
    ),
    _rule(
        "runtime_heap",
        Cause.HEAP_LIMIT,
        0.9,
        r"Heap exhausted|cache resources exhausted|Stack limit \([\d.]+[A-Za-z]+\) exceeded|MEMORY_LIMIT_EXCEEDED",
        "a program reached a limit it sets itself; the machine may have had memory left",
    ),
    _rule(
        "disk_full",
        Cause.DISK_FULL,
        0.95,
        r"No space left on device|\bENOSPC\b|Disk quota exceeded|not enough free disk space|You don't have enough free space",
        "a file system is full (or /dev/shm, or the inotify watches are used up)",
    ),
    _rule(
        "compiler_killed",
        Cause.INSTANCE_MEMORY,
        0.85,
        r"fatal error: Killed signal terminated program|internal compiler error: Killed \(program",
        "a compiler was killed by signal 9 in the middle of its build: nobody does that by hand",
    ),
    _rule(
        "child_killed",
        Cause.INSTANCE_MEMORY,
        0.7,
        r"\(signal: 9, SIGKILL: kill\)|\bsignal:? killed\b|SIGKILL \(signal 9\)|pid \d+ SIGKILL|died of signal 9|terminated by signal 9\b|signal 9 \(SIGKILL\)|with signal SIGKILL\b|SIGKILL! Perhaps out of memory|exited with code 137\b",
        "a child process of the build was killed by signal 9, as the kernel does when memory runs out",
    ),
    _rule(
        "allocation_refused",
        Cause.INSTANCE_MEMORY,
        0.8,
        r"Cannot allocate memory|\bENOMEM\b|std::bad_alloc|virtual memory exhausted|failed to allocate memory|memory allocation of \d+ bytes failed|[Uu]nable to allocate [\d.]+ [KMGT]?i?B|There is insufficient memory for the Java Runtime|Out of memory \(allocated \d+\)|cannot allocate vector of size|^Out of memory!$|fork: .{0,20}[Nn]ot enough (space|memory)",
        "the system refused an allocation",
    ),
    _rule(
        "python_memory_error",
        Cause.INSTANCE_MEMORY,
        0.75,
        r"^(\w+\.)*MemoryError\b",
        "Python was refused an allocation",
    ),
    _rule(
        "killed_word",
        Cause.INSTANCE_MEMORY,
        0.6,
        r"(^|[\s:\]|'\"])Killed(\s*$|\s{2,}\S|\x1b)|\bError 137\b|exit (code|status):? 137\b|status 137\b|returned 137\b|code 137\b",
        "a process was killed by signal 9: by the kernel for want of memory, or by someone",
    ),
    _rule(
        "timed_out",
        Cause.INTERRUPTED,
        0.8,
        r"\b(timed out after|[Tt]imeout expired|exceeded the maximum execution time|max run time exceeded|execution took longer than)\b",
        "a time limit ended it",
    ),
    _rule(
        "cancelled",
        Cause.INTERRUPTED,
        0.85,
        r"The operation was cancell?ed|The runner has received a shutdown signal|Received SIGTERM|Job was cancell?ed",
        "it was cancelled from outside",
    ),
)

STEMS: tuple[bytes, ...] = (
    b"illed",
    b"ignal",
    b"emory",
    b"EMORY",
    b"ENOMEM",
    b"SIGKILL",
    b"SIGTERM",
    b"lloc",
    b"ALLOC",
    b"xhausted",
    b" 137",
    b"ENOSPC",
    b" space",
    b"imed out",
    b"imeout exp",
    b"took longer",
    b"ancel",
    b"xceeded",
)
"""Literals, one of which occurs in every line a rule can match: the watcher's cheap first look. A test holds them against RULES. Each
has four bytes or more: the search then takes four at a time, 7 GB/s measured; with a single one of three bytes it was 1.7."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")


def plain(text: str) -> str:
    """The line without colours, links and cursor movements."""
    return _ANSI.sub("", text) if "\x1b" in text else text


def matches(text: str) -> list[Rule]:
    """The rules a line matches, in the table's order."""
    bare = plain(text)
    return [rule for rule in RULES if rule.pattern.search(bare)]


def codes(text: str) -> list[str]:
    """The codes of the rules a line matches: how a watcher classifies it."""
    return [rule.code for rule in matches(text)]
