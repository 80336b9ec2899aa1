"""``python -m sojourn.cli`` is ``sojourn``."""

import sys

from sojourn.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
