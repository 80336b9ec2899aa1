"""What all tests share. Being here puts the repository root on the path, so that ``tests.toys`` is imported by name."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading

# Tests run tiny tensors: a second thread costs more than it gives, most of all on a busy machine. PyTorch reads it when
# it is loaded, here and in the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell starts what it puts into the background with Ctrl-C ignored, and so would be what tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # while torch and transformers are loaded there is nothing to collect, and looking costs a second


def pytest_collection_finish() -> None:
    """Make every test cheaper by what importing torch and transformers has left behind."""
    gc.freeze()  # a million objects that live to the end need not be looked at by every collection
    gc.enable()
    # pytest hangs its handlers, six times a test, on each logger that does not propagate: torch has sixty of them
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.name.startswith("torch"):
            logger.propagate = True
