"""Compile all kernels, in the order of their names or with `--down` the other way: two such processes share the work.

Each reads what the other has compiled meanwhile from Numba's cache.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

files = sorted((ROOT / "sensor").rglob("kernels*.py"), reverse="--down" in sys.argv)
for path in files:
    importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
