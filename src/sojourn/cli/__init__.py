"""The command line: the composition root, and the only place that names concrete classes."""

from sojourn.cli.entry import main

__all__ = ["main"]
