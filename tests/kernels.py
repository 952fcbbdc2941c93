"""Compile all kernels, in the order of their names or with `--down` the other way: two such processes share the work.

Each reads what the other has compiled meanwhile from Numba's cache. What takes longest comes first (the detection of
protocols, and the flow table: half of the work), so that where the two meet neither does much that the other does, too.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UP = ("sensor.engine.protodetect.kernels_heads", "sensor.proto.kernels_batch")
DOWN = ("sensor.flow.kernels_track",)

sys.path.insert(0, str(ROOT))
down = "--down" in sys.argv
files = sorted((ROOT / "sensor").rglob("kernels*.py"), reverse=down)
for name in (*(DOWN if down else UP), *(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)):
    importlib.import_module(name)
