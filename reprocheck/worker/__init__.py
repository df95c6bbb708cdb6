"""What runs inside the audited process: set the stage, observe, run the target, write evidence.

Nothing here may change what the target computes. Of reprocheck itself only `model` and `protocol` are imported.
"""

import sys

AT_START = frozenset(sys.modules)
"""What Python itself had imported before any of ours."""
