"""Makes `enginekit` and `forgekit` importable from every test folder; fixes what hypothesis tries.

The gate must say the same of the same tree: `HYPOTHESIS_PROFILE=search` looks for new examples.
"""

import os
import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent))

settings.register_profile("gate", derandomize=True, database=None)
settings.register_profile("search")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))
