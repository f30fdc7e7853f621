"""The command line. One command a file; `door.py` turns errors into one line and an exit code; `app.py` lists the commands.

stdout holds the answer (or JSON) and nothing else; progress, notices and problems go to stderr. Exit codes: 0 ok, 1 no
answer, 2 bad input or configuration, 3 budget, 4 deadline, 130 Ctrl-C.
"""

import sys

from moa._version import __version__


def main() -> int:
    """The command `moa`: its exit code. The version is printed without loading anything else."""
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):
            sys.stdout.write(f"moa {__version__}\n")
            return 0
        from moa.cli.door import enter

        return enter(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
