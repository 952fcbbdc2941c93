"""Makes `enginekit` and `forgekit` importable from every test folder; fixes what hypothesis tries.

The gate must say the same of the same tree: `HYPOTHESIS_PROFILE=search` looks for new examples.
"""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).resolve().parent))

# How fast examples are made says something about the machine at hand, not about the tree.
settings.register_profile(
    "gate", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))
