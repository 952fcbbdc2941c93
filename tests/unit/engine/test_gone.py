"""What nobody holds any more is gone at once, with all its tables: nothing in it holds itself."""

import gc
import weakref

from enginekit import oracle_rules, run
from forgekit import Flow, request, response


def test_a_pipeline_is_gone_with_whoever_held_it():
    frames = Flow(dport=80).open().send(0, request("/evil/path")).send(1, response()).close().frames()
    run(frames, oracle_rules())
    gc.collect()
    gc.disable()
    try:
        outcome = run(frames, oracle_rules())
        pipeline = outcome.pipeline
        parts = pipeline, pipeline.judge, pipeline.walk, pipeline.table, pipeline.journal, *pipeline._selector.frames
        held = [(type(part).__name__, weakref.ref(part)) for part in parts]
        assert outcome.sids
        del outcome, pipeline, parts
        assert not [name for name, part in held if part() is not None]
    finally:
        gc.enable()
