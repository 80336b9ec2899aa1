"""The commands about whole runs: train, plot, report, export."""

from __future__ import annotations

import argparse

from sojourn.config import load_config


def train(options: argparse.Namespace) -> int:
    """``sojourn train``."""
    config = load_config(options.config, options.overrides)
    from sojourn.cli.training import run_training  # loads torch: only once the configuration is known to be right

    return run_training(config, resume=options.resume)


def plot(options: argparse.Namespace) -> int:
    """``sojourn plot``."""
    from sojourn.evaluate.history import read_history  # numpy and matplotlib: a second that only plots should cost
    from sojourn.evaluate.plot import write_plot

    histories = [read_history(path) for path in options.runs]
    out = options.out or histories[0].run.plot
    write_plot(histories, out)
    print(out)
    return 0


def report(options: argparse.Namespace) -> int:
    """``sojourn report``."""
    from sojourn.evaluate.report import write_report  # matplotlib, as above
    from sojourn.record.run_dir import RunDir

    print(write_report(RunDir.open(options.run)))
    return 0


def export(options: argparse.Namespace) -> int:
    """``sojourn export``."""
    from sojourn.cli.training import export_run  # loads torch

    export_run(options.run, options.checkpoint, options.out)
    print(options.out)
    return 0
