"""Print what the table makes of mixed traffic: started with and without NUMBA_DISABLE_JIT by test_table."""

import random
import sys

from flowkit import ACK, FIN, RST, SYN, Conn, Pkt, Run, limits, replace


def traffic(seed):
    """Return packets of several connections, shuffled a little, with losses, repetitions and forgeries."""
    rng = random.Random(seed)
    pkts = []
    for k in range(12):
        c = Conn(isn_c=rng.choice((5, 0xFFFFFF00)), isn_s=rng.choice((7, 0xFFFFFFF0)), t=k * 0.7, sport=2000 + k % 7)
        talk = c.open(options=bytes((3, 3, 7, 2, 4, 1, 0)))
        for _ in range(12):
            make = rng.choice((c.up, c.down))
            talk.append(make(rng.randbytes(rng.choice((1, 30, 4000)))))
        talk += c.close() if k % 3 else [c.up(flags=RST | ACK)]
        for _ in range(10):
            p = rng.choice(talk)
            talk.insert(
                rng.randrange(len(talk)), replace(p, data=rng.randbytes(len(p.data)), seq=p.seq - rng.randrange(20))
            )
        for _ in range(6):
            at = rng.randrange(len(talk) - 1)
            talk[at], talk[at + 1] = talk[at + 1], talk[at]
        pkts += [p for p in talk if rng.random() > 0.05]
    v6 = Pkt(ipv=6, src=(1 << 127) + 3, dst=(1 << 64) - 1, proto=17, t=9)
    pkts += [v6, v6.back(), replace(v6, proto=58, sport=128), Pkt(proto=1, sport=8), Pkt(proto=47)]
    pkts += [Pkt(flags=f, sport=5) for f in (0, FIN, SYN | ACK, RST, ACK, SYN)]
    pkts += [replace(v6, sport=s, t=s * 9) for s in range(60, 70)]
    return pkts


def main():
    """Run it."""
    small = limits(max_flows=6, slack=2, memcap=64 << 10, side_bytes=8 << 10, side_segments=8, depth=30_000)
    for seed in range(2):
        run = (
            Run(small, policies=[("10.0.0.0/8", ("solaris", "linux")[seed])])
            .feed(traffic(seed), range(0, 400, 37))
            .finish(700)
        )
        for event in run.events:
            sys.stdout.write(f"{event}\n")
        for row in run.rows:
            sys.stdout.write(f"{row}\n")
        for flow in run.flows.values():
            record = {name: flow[name].tolist() for name in flow.dtype.names if name != "queue"}
            sys.stdout.write(f"{record}\n")
        sys.stdout.write(f"{run.table.counters.snapshot()}\n")


if __name__ == "__main__":
    main()
