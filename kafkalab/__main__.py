"""``python -m kafkalab`` is the command ``kafkalab``."""

import sys

from kafkalab.cli import main

if __name__ == "__main__":
    sys.exit(main())
