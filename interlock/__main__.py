"""`python -m interlock`: the command line."""

import sys

from interlock.cli import main

if __name__ == "__main__":
    sys.exit(main())
