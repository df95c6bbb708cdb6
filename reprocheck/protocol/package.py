"""Where this package lies: its folder distinguishes its code from the target's."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder `reprocheck/`, absolute."""
WORKER_FILE = Path(PACKAGE_FOLDER, "worker", "__main__.py")
"""What is started as the process of a run."""
