"""``python -m wbce`` is the command line."""

import sys

from wbce.cli import main

if __name__ == "__main__":
    sys.exit(main())
