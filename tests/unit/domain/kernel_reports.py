"""Out-of-memory reports in the kernel's own form, composed for the tests: who was killed, by what limit, on which kernel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

PAGES_RAM = 524_154
PAGES_RESERVED = 24_154
TOTAL_BYTES = (PAGES_RAM - PAGES_RESERVED) * 4096


@dataclass(frozen=True)
class Process:
    """A row of the task table; the pages are as the kernel prints them."""

    pid: int
    name: str
    anon_pages: int
    file_pages: int = 100

    @property
    def rss_pages(self) -> int:
        return self.anon_pages + self.file_pages

    @property
    def rss_bytes(self) -> int:
        return self.rss_pages * 4096


POSTGRES = Process(412, "postgres", 12_000, 9_000)
SDPAM = Process(733, "(sd-pam)", 310)
TMUX = Process(801, "tmux: server", 650)
DIGITS = Process(977, "7z 24 x", 1_500)
WEBPACK = Process(14956, "webpack", 310_000, 5_731)
TABLE = (POSTGRES, SDPAM, TMUX, DIGITS, WEBPACK)


def _row_4_9(one: Process) -> str:
    return f"[{one.pid:5d}]     0 {one.pid:5d}   389208 {one.rss_pages:8d}      720       5        0             0 {one.name}"


def _row_4_19(one: Process) -> str:
    return f"[{one.pid:7d}]     0 {one.pid:5d}   389208 {one.rss_pages:8d}  5562368        0          -900 {one.name}"


def _row_6(one: Process) -> str:
    return (
        f"[{one.pid:7d}]     0 {one.pid:5d}   389208 {one.rss_pages:8d} {one.anon_pages:8d} {one.file_pages:8d}         0"
        f"  5562368        0             0 {one.name}"
    )


@dataclass(frozen=True)
class Kernel:
    """How one release words its report."""

    release: str
    table: str
    row: Callable[[Process], str]
    says_constraint: bool = True
    """From 5.0 on; before, the kill itself takes two lines and a cgroup is named by `Task in`."""


KERNELS = (
    Kernel(
        "4.9", "[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name", _row_4_9, says_constraint=False
    ),
    Kernel(
        "4.19",
        "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
        _row_4_19,
        says_constraint=False,
    ),
    Kernel("5.10", "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name", _row_4_19),
    Kernel("6.1", "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name", _row_4_19),
    Kernel(
        "6.12",
        "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name",
        _row_6,
    ),
)
NEWEST = KERNELS[-1]


def invoked(by: str = "node") -> str:
    return f"{by} invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0"


def killed(victim: Process, cgroup: str | None = None, kernel: Kernel = NEWEST) -> list[str]:
    """The kill itself, which the kernel always prints."""
    what = "Memory cgroup out of memory" if cgroup else "Out of memory"
    sizes = f"total-vm:1556832kB, anon-rss:{victim.anon_pages * 4}kB, file-rss:{victim.file_pages * 4}kB, shmem-rss:0kB"
    if kernel.says_constraint:
        return [f"{what}: Killed process {victim.pid} ({victim.name}) {sizes}, UID:0 pgtables:5432kB oom_score_adj:0"]
    return [
        f"{what}: Kill process {victim.pid} ({victim.name}) score 612 or sacrifice child",
        f"Killed process {victim.pid} ({victim.name}) {sizes}",
    ]


def constraint(victim: Process, cgroup: str | None = None, kind: str = "") -> str:
    word = kind or ("CONSTRAINT_MEMCG" if cgroup else "CONSTRAINT_NONE")
    where = f"oom_memcg={cgroup},task_memcg={cgroup}/job" if cgroup else "global_oom,task_memcg=/user.slice"
    return f"oom-kill:constraint={word},nodemask=(null),cpuset=/,mems_allowed=0,{where},task={victim.name},pid={victim.pid},uid=0"


def report(
    kernel: Kernel = NEWEST,
    victim: Process = WEBPACK,
    *,
    cgroup: str | None = None,
    limit_kib: int = 524_288,
    tasks: Sequence[Process] = TABLE,
) -> list[str]:
    """The whole report, as lines without any prefix."""
    lines = [
        invoked(),
        f"CPU: 1 PID: 14951 Comm: node Not tainted {kernel.release}.0-18-amd64 #1",
        "Call Trace:",
        " dump_stack+0x5c/0x85",
    ]
    if cgroup:
        if not kernel.says_constraint:
            lines.append(f"Task in {cgroup}/job killed as a result of limit of {cgroup}")
        lines += [f"memory: usage {limit_kib}kB, limit {limit_kib}kB, failcnt 91"]
        lines += [f"memory+swap: usage {limit_kib}kB, limit 9007199254740988kB, failcnt 0"]
        lines += ["kmem: usage 144kB, limit 9007199254740988kB, failcnt 0"]
    else:
        lines += [
            "Mem-Info:",
            "active_anon:301 inactive_anon:461234 isolated_anon:0",
            "34011 total pagecache pages",
            "Total swap = 0kB",
        ]
        lines += [f"{PAGES_RAM} pages RAM", "0 pages HighMem/MovableOnly", f"{PAGES_RESERVED} pages reserved", "0 pages hwpoisoned"]
    lines += ["Tasks state (memory values in pages):", kernel.table, *map(kernel.row, tasks)]
    if kernel.says_constraint:
        lines.append(constraint(victim, cgroup))
    return [*lines, *killed(victim, cgroup, kernel)]


def stamped(lines: Sequence[str], since_boot: float = 4455.0) -> list[str]:
    """As `dmesg` prints them."""
    return [f"[{since_boot + number / 1000:12.6f}] {line}" for number, line in enumerate(lines)]


def console(lines: Sequence[str], since_boot: float = 4455.0) -> str:
    return "\r\n".join(stamped(lines, since_boot))
