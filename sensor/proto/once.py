"""Parsers of protocols in which a flow is one transaction, whose stages are each told once."""

from __future__ import annotations

from typing import Generic, TypeVar

from sensor.model.app import TxStage
from sensor.proto.oddities import OdditiesOnce

T = TypeVar("T")


class StagesOnce(OdditiesOnce, Generic[T]):
    """What they have in common."""

    __slots__ = ("_reached", "_tx")

    def __init__(self) -> None:
        super().__init__()
        self._tx: T | None = None
        self._reached = 0
        """Bit n: stage n."""

    def _reach(self, stage: int, side: int, out: list[TxStage]) -> None:
        if self._tx is not None and not self._reached >> stage & 1:
            self._reached |= 1 << stage
            out.append(TxStage(self._tx, stage, side))
