"""What helps, for each cause, in the words of someone who has to act now."""

from collections.abc import Sequence

from scaler.domain.rules import Cause

NOTHING_FAILED = "Nothing to do: the deploy succeeded."

_BY_CODE = {
    "v8_heap": "Raise V8's own limit within what the machine has, for example NODE_OPTIONS=--max-old-space-size=4096. A larger "
    "machine alone changes nothing.",
    "jvm_heap": "Raise the JVM's own limit within what the machine has (-Xmx2g, MAVEN_OPTS, org.gradle.jvmargs, or "
    "-XX:MaxRAMPercentage). A larger machine alone changes nothing.",
    "php_memory_limit": "Raise PHP's own limit: php -d memory_limit=1G, or COMPOSER_MEMORY_LIMIT=-1 for Composer. A larger machine "
    "alone changes nothing.",
    "other_machine": "The machine that runs this command is short of memory: give it more, or run the build elsewhere. "
    "A larger instance would change nothing.",
}

_BY_CAUSE = {
    Cause.INSTANCE_MEMORY: "Give the instance more memory (`scale up`), or let the deploy need less of it.",
    Cause.HEAP_LIMIT: "Raise the program's own limit. A larger machine alone changes nothing.",
    Cause.CONTAINER_LIMIT: "Raise the container's memory limit (docker --memory, resources.limits.memory). A larger machine alone "
    "changes nothing.",
    Cause.GPU_MEMORY: "Use smaller batches or a graphics processor with more memory. A machine with more main memory changes nothing.",
    Cause.DISK_FULL: "Free disk space (old releases, caches, docker images, logs) or enlarge the volume; for /dev/shm or inotify "
    "watches raise that limit.",
    Cause.INTERRUPTED: "Find out who or what ended it: a time limit, a cancelled job, a kill by hand. More memory changes nothing.",
    Cause.OTHER: "Nothing points to memory: read the deploy's own error.",
    Cause.INCONCLUSIVE: "It may have been memory, but nothing proves it, so nothing is resized. The instance's kernel log would settle "
    "it: look there for “Out of memory: Killed process” (`dmesg -T | grep -i 'killed process'`), and grow it by hand with `scale up`.",
}


def for_cause(cause: Cause, codes: Sequence[str]) -> str:
    """The advice for a cause; the reasons' codes make it particular."""
    particular = [_BY_CODE[code] for code in codes if code in _BY_CODE]
    if cause in (Cause.HEAP_LIMIT, Cause.OTHER) and particular:
        return particular[0]
    return _BY_CAUSE[cause]
