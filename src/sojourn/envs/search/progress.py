"""The bar that is shown while a corpus or its questions are made, which takes a machine a minute or two, once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(what: str, total: int, line: str) -> Iterator[Callable[..., None]]:
    """A bar of `total` steps on standard error, or one `line` where that is no terminal.

    Yields what to tell of steps: ``completed=`` so many in all, or ``advance=`` by so many.
    """
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        console.print(line, highlight=False)
        yield lambda **_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"{what} (once on this machine)", total=total)
        yield partial(bar.update, task)
