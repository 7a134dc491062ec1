"""What a deploy's words mean: every rule speaks for lines that tools really print, and for no look-alike."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaler.domain.rules import RULES, STEMS, Cause, Rule, codes, matches, plain

LINES: dict[str, tuple[str, ...]] = {
    "kernel_report": (
        "[ 812.331] Out of memory: Killed process 2211 (ruby) total-vm:1204480kB, anon-rss:801200kB",
        "kernel: Out of memory: Kill process 88 (node) score 771 or sacrifice child",
    ),
    "cgroup_report": (
        "Memory cgroup out of memory: Killed process 5120 (webpack) total-vm:900000kB",
        "[ 9.1] Memory cgroup out of memory: Kill process 7 (java) score 1990 or sacrifice child",
    ),
    "container_oom": (
        "    Reason:       OOMKilled",
        '        "OOMKilled": true,',
        "STOPPED: OutOfMemoryError: Container killed due to memory usage",
        "Container build-7 was killed by the kernel: memory limit 512Mi",
        "ERROR Job exceeded the container memory limit",
        "the worker exceeds its memory limit and is stopped",
    ),
    "gpu_memory": (
        "RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 7.79 GiB total)",
        "torch.OutOfMemoryError: CUDA out of memory.",
        "torch.cuda.OutOfMemoryError: HIP out of memory",
        "failed call to cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY: out of memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: CUDA error: out of memory",
    ),
    "v8_heap": (
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
        "FATAL ERROR: CALL_AND_RETRY_LAST Allocation failed - JavaScript heap out of memory",
        "Error [ERR_WORKER_OUT_OF_MEMORY]: Worker terminated due to reaching memory limit: JS heap out of memory",
    ),
    "jvm_heap": (
        'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space',
        "java.lang.OutOfMemoryError: GC overhead limit exceeded",
        "> Metaspace: java.lang.OutOfMemoryError: Metaspace",
        "java.lang.OutOfMemoryError: Cannot reserve 8192 bytes of direct buffer memory (allocated: 1, limit: 2)",
        "Terminating due to java.lang.OutOfMemoryError: Java heap space",
    ),
    "php_memory_limit": (
        "PHP Fatal error:  Allowed memory size of 1610612736 bytes exhausted (tried to allocate 4096 bytes) in phar:",
    ),
    "runtime_heap": (
        "Heap exhausted during garbage collection: 0 bytes available, 16 requested.",
        "convert-im6.q16: cache resources exhausted `hero.png' @ error/cache.c/OpenPixelCache/4095.",
        "Stack limit (1.0Gb) exceeded",
        "Code: 241. DB::Exception: (MEMORY_LIMIT_EXCEEDED)",
    ),
    "disk_full": (
        "tar: app/cache.bin: Cannot write: No space left on device",
        "npm ERR! code ENOSPC",
        "Error: ENOSPC: System limit for number of file watchers reached, watch '/srv/app'",
        "cp: error writing 'x': Disk quota exceeded",
        "E: You don't have enough free space in /var/cache/apt/archives/.",
    ),
    "compiler_killed": (
        "g++: fatal error: Killed signal terminated program cc1plus",
        "gcc: internal compiler error: Killed (program cc1)",
    ),
    "child_killed": (
        "  process didn't exit successfully: `rustc --crate-name app` (signal: 9, SIGKILL: kill)",
        "go build app/big: compile: signal: killed",
        "error: pack-objects died of signal 9",
        "rake aborted! Command failed with SIGKILL (signal 9): node",
        "Worker (pid:4711) was sent SIGKILL! Perhaps out of memory?",
        '#12 ERROR: process "/bin/sh -c npm run build" exited with code 137',
    ),
    "allocation_refused": (
        "fork: Cannot allocate memory",
        "Error: spawn ENOMEM",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "virtual memory exhausted: Cannot allocate memory",
        "[FATAL] failed to allocate memory (NoMemoryError)",
        "memory allocation of 1073741824 bytes failed",
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array",
        "# There is insufficient memory for the Java Runtime Environment to continue.",
        "PHP Fatal error:  Out of memory (allocated 524288000) (tried to allocate 20480 bytes)",
        "Error: cannot allocate vector of size 1.5 Gb",
        "Out of memory!",
    ),
    "python_memory_error": ("MemoryError", "numpy.core._exceptions.MemoryError: huge"),
    "killed_word": (
        "Killed",
        "bin/deploy: line 7:  1182 Killed                  npm run build",
        "make: *** [Makefile:4: assets] Error 137",
        "npm run build: exit code: 137",
        "The command '/bin/sh -c yarn build' returned a non-zero code 137",
    ),
    "timed_out": (
        "curl: operation timed out after 30001 milliseconds",
        "Timeout expired while waiting for the build",
        "timeout expired",
        "ERROR: Job failed: execution took longer than 1h0m0s seconds",
        "The job exceeded the maximum execution time of 60m0s",
        "Too long with no output (max run time exceeded)",
    ),
    "cancelled": (
        "##[error]The operation was canceled.",
        "The runner has received a shutdown signal. This can happen when the service is stopped.",
        "Received SIGTERM, shutting down",
        "Job was cancelled by a person",
    ),
}

LOOK_ALIKES = (
    "",
    "killed 12 mutants",
    "Killed: 12 mutants, survived: 2",
    "handles out of memory gracefully ok",
    "Skipped 137 files",
    "137 packages are looking for funding",
    "added 1137 packages in 13s",
    "Compiled in 1370 ms",
    '        "OOMKilled": false,',
    "ok 12 - kills the child with SIGTERM first",
    "src/killed.ts  1.37 kB",
    "test_out_of_memory_error PASSED",
    "class MemoryError(Exception):",
    "MemoryErrors: 0",
    "installing signal handlers",
    "Set the memory limit to 512 MB",
    "allocated 512 MB for the cache",
    "20 GB of disk space left",
    "heap snapshot written to heap.json",
    "max-old-space-size=4096",
    "GET /status 137ms",
    "request timed out, trying again",
    "Cancelled 0 old jobs",
    "No emails were killed  ",
)

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)


def has_stem(text: str) -> bool:
    return any(stem in text.encode("utf-8", "surrogatepass") for stem in STEMS)


def test_every_rule_has_lines_here_and_a_code_of_its_own() -> None:
    known = [rule.code for rule in RULES]

    assert len(set(known)) == len(known)
    assert set(LINES) == set(known)


@pytest.mark.parametrize(("code", "line"), [(code, line) for code, lines in LINES.items() for line in lines])
def test_a_real_tools_line_is_recognised_and_seen_by_the_watcher(code: str, line: str) -> None:
    assert code in codes(line)
    assert has_stem(line)


@pytest.mark.parametrize("line", LOOK_ALIKES)
def test_a_look_alike_means_nothing(line: str) -> None:
    assert matches(line) == []


def test_every_stem_has_the_four_bytes_the_search_takes_at_once_and_none_is_within_another() -> None:
    assert min(map(len, STEMS)) >= 4
    assert not [(one, other) for one in STEMS for other in STEMS if one != other and one in other]


@every_rule
def test_every_line_a_rule_can_match_holds_a_stem(rule: Rule) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.from_regex(rule.pattern))
    def holds(line: str) -> None:
        assert has_stem(line), line

    holds()


@every_rule
def test_a_rule_says_why_and_weighs_between_doubt_and_certainty(rule: Rule) -> None:
    assert rule.why
    assert 0.5 <= rule.weight < 1
    assert rule.cause not in (Cause.OTHER, Cause.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("printed", "bare"),
    [
        ("\x1b[31mKilled\x1b[0m", "Killed"),
        ("\x1b]8;;https://example.com\x07link\x1b]8;;\x07", "link"),
        ("\x1b]0;title\x1b\\Killed", "Killed"),
        ("\x1b[2K\x1b[1GKilled", "Killed"),
        ("no colours", "no colours"),
    ],
)
def test_colours_links_and_cursor_movements_are_taken_off(printed: str, bare: str) -> None:
    assert plain(printed) == bare


def test_a_coloured_line_is_recognised() -> None:
    assert [rule.code for rule in matches("\x1b[1;31mKilled\x1b[0m")] == ["killed_word"]


@given(st.text(max_size=200))
def test_no_line_makes_the_rules_fail(line: str) -> None:
    assert all(rule in RULES for rule in matches(line))


ADVERSARIES = (
    "Stack limit (" + "1" * 1_000_000,
    "Stack limit (" + "1a" * 500_000,
    "Killed" + " " * 1_000_000 + "x",
    "Killed " * 140_000,
    "a." * 500_000 + "x",
    "a" * 1_000_000,
    "1" * 1_000_000,
    "Container " + "x" * 1_000_000,
    "Container " * 100_000,
    "Unable to allocate " + "1." * 500_000,
    "memory allocation of " + "1" * 1_000_000,
    "fork: " * 160_000,
    "exceeds the " * 80_000,
    "\x1b]" * 500_000,
    "\x1b[" + "1;" * 500_000,
    "\x1b]" + "x" * 1_000_000,
    "OutOfMemoryError: Cannot reserve " + "1" * 1_000_000,
)


@pytest.mark.parametrize("line", ADVERSARIES, ids=lambda line: repr(line[:20]))
def test_no_line_of_a_megabyte_takes_more_than_two_seconds(line: str) -> None:
    began = time.perf_counter()

    matches(line)

    assert time.perf_counter() - began < 2
