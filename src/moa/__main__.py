"""`python -m moa` is `moa`."""

import sys

from moa.cli import main

if __name__ == "__main__":
    sys.exit(main())
