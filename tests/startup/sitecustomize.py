"""Makes `tests` importable in the processes that tests start, behind the installed packages. See tests/conftest.py."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
