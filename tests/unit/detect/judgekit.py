"""A context made of plain values, and one-line judgements for tables of cases."""

from sensor.detect.evaluator.context import Window
from sensor.detect.evaluator.naive import RuleCompiler, judge
from sensor.detect.state.bits import FlowVars
from sensor.detect.state.budget import Budget
from sensor.detect.state.hostbits import HostBits
from sensor.rules.nodes import BufferMatch, Rule


class FakeContext:
    def __init__(self, buffers=None, header=None, flow_vars=None, ts_ns=0, ends=(b"a", b"b"), host_bits=None):
        self.ts_ns = ts_ns
        self.src, self.dest = ends
        self.host_bits = HostBits() if host_bits is None else host_bits
        self.flow_vars = flow_vars
        self.packet_vars = FlowVars()
        self.numbers = header or {}
        self.buffers = {
            name: [
                w if isinstance(w, Window) else Window(w)
                for w in (value if isinstance(value, list) else [value])
            ]
            for name, value in (buffers or {}).items()
        }

    def instances(self, buffer):
        return self.buffers.get(buffer, ())

    def header(self, field):
        return self.numbers.get(field)


def rule(body, **more):
    return Rule(sid=1, msg="", proto="ip", body=body, **more)


def body_holds(body, ctx, budget=None, **compiler):
    return judge(RuleCompiler(**compiler).compile(rule(body)), ctx, budget or Budget())


def holds(data, *tests, base=0, budget=None):
    """Judge tests on one payload."""
    ctx = FakeContext({"payload": Window(data, base)})
    return body_holds(BufferMatch("payload", tests), ctx, budget)
