"""What an operator allows the sensor, divided among its workers."""

from __future__ import annotations

from dataclasses import replace

from sensor.config.settings import Settings

MIN_FLOWS = 1024
MIN_APP = 1 << 20
MIN_BLOCK = 1 << 19
"""Bytes of a ring's block: BIG TCP's super-segments have that much."""


def divided(settings: Settings, workers: int) -> Settings:
    """Return the settings of one of several workers: its part of each cap on memory and tables."""
    if workers == 1:
        return settings
    flow, defrag, journal = settings.flow, settings.defrag, settings.journal
    return replace(
        settings,
        flow=replace(flow, max_flows=max(MIN_FLOWS, flow.max_flows // workers), memcap=flow.memcap // workers),
        defrag=replace(defrag, memcap=defrag.memcap // workers, trackers=max(1, defrag.trackers // workers)),
        journal=replace(journal, memcap=journal.memcap // workers),
        app=replace(settings.app, memcap=max(MIN_APP, settings.app.memcap // workers)),
        file_store=replace(settings.file_store, memory=max(MIN_APP, settings.file_store.memory // workers)),
        evidence=replace(settings.evidence, before=settings.evidence.before // workers),
    )


def ring_block(size: int, workers: int) -> int:
    """Return the bytes of a block of one worker's ring, where one of the only ring would have so many.

    There are as many blocks: each is handed over after its time even if it is not full, so that their number is how
    long a stall may take.
    """
    while workers > 1 and size > MIN_BLOCK:
        size, workers = size // 2, workers // 2
    return size
