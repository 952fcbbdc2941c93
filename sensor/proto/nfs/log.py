"""Transactions of one flow, and the stages that they have reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.app import TxStage
from sensor.proto.nfs import stages
from sensor.proto.nfs.transaction import NfsCall

if TYPE_CHECKING:
    from sensor.model.app import Transaction
    from sensor.model.files import FileInfo


class Log:
    """One flow. It holds nothing that makes its entries: these would outlive the flow."""

    __slots__ = ("_count", "_out")

    def __init__(self) -> None:
        self._out: list[TxStage] = []
        self._count = 0

    def new(self, version: int, procedure: int) -> NfsCall:
        """Return the next transaction."""
        self._count += 1
        return NfsCall(self._count - 1, version, procedure)

    def reach(self, tx: Transaction, stage: int, file: FileInfo | None = None) -> None:
        """Note a stage."""
        self._out.append(TxStage(tx, stage, stages.STAGES[stage].side, file))

    def show(self, stage: TxStage) -> None:
        """Note what is no transaction of its own: a frame."""
        self._out.append(stage)

    def take(self) -> list[TxStage]:
        """Return what was noted since it was last asked."""
        found, self._out = self._out, []
        return found
