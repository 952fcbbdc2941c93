"""What both versions of SMB share in one flow: the stages reached, numbers of transactions, what was odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.app import TxStage
from sensor.model.keeping import NO_POLICY
from sensor.proto.smb import limits, stages

if TYPE_CHECKING:
    from sensor.model.anomaly import AppAnomaly
    from sensor.model.app import Transaction
    from sensor.model.files import FileInfo


class Connection:
    """One flow. Whoever reads `out` and `odd` empties them."""

    __slots__ = (
        "_count",
        "_seen",
        "dialect",
        "files",
        "frames",
        "max_read",
        "max_write",
        "odd",
        "out",
    )

    def __init__(self) -> None:
        self.out: list[TxStage] = []
        self.odd: list[tuple[AppAnomaly, int]] = []
        self._seen: set[tuple[AppAnomaly, int]] = set()
        self._count = 0
        self.dialect = "unknown"
        """What the ends agreed upon, as EVE names it."""
        self.max_read = 0
        """Bytes of the longest read that the server allows; 0: it did not say."""
        self.max_write = 0
        self.frames = True
        """The bytes of single messages are shown."""
        self.files = NO_POLICY
        """What becomes of files."""

    def number(self) -> int:
        """Return the number of the next transaction."""
        self._count += 1
        return self._count - 1

    def reach(self, tx: Transaction, stage: int, file: FileInfo | None = None) -> None:
        """Note a stage; its side is that of whoever sends what completes it."""
        self.out.append(TxStage(tx, stage, stages.STAGES[stage].side, file))

    def report(self, anomaly: AppAnomaly, side: int) -> None:
        """Note what is odd; each (anomaly, side) comes once in a flow."""
        if (anomaly, side) not in self._seen and len(self.odd) < limits.ANOMALIES:
            self._seen.add((anomaly, side))
            self.odd.append((anomaly, side))
