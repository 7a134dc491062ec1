"""A live view of one operation: rich where stderr is a terminal, plain lines elsewhere."""

import contextlib
import sys
from types import TracebackType
from typing import Any, Self

from scaler.cli.talk import say
from scaler.domain.instance import Instance
from scaler.domain.operation import Decision
from scaler.domain.plan import Plan
from scaler.render import text


class Progress:
    """Shows each step with its reason; on a terminal the last one keeps turning with the seconds it has taken."""

    def __init__(self, plan: Plan) -> None:
        self._name = plan.instance.name
        self._live: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            self._live = Bar(*columns, console=Console(stderr=True), transient=True)
            self._live.__enter__()
            self._live.add_task(f"{self._name}: beginning", total=None)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            with contextlib.suppress(OSError):
                self._live.__exit__(kind, error, trace)

    def step(self, instance: Instance, decision: Decision) -> None:
        """Show one step."""
        line = text.step(instance, decision)
        if self._live is None:
            say(f"scale: {line}")
            return
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._live.console.print(f"  {line}", markup=False, highlight=False)
            self._live.update(0, description=f"{self._name}: {text.doing(decision.step)} [{instance.state}, {instance.type_name}]")
