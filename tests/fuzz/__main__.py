"""`python tests/fuzz [--seconds N] [--seed S] [--case N] [NAME…]`: hostile inputs for every parser and the pipeline.

Exit status 1: something was raised, or an input cost more than 100 times a normal one of its size. Case n of a seed
is always the same input: `--seed S --case N NAME` shows it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import capturing
import driving
import hunting

PIPELINE = 4
"""Its share of the time, in units of a parser's."""


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--case", type=int, help="show one input instead")
    parser.add_argument("only", nargs="*", metavar="NAME", help="targets whose name begins so (`smb`, `pipeline`)")
    args = parser.parse_args()
    hunts = [hunting.Hunt(target, args.seed) for target in driving.targets(args.only)]
    wants_pipeline = not args.only or any("pipeline".startswith(word) for word in args.only)
    captures = [capturing.CaptureHunt(args.seed)] if wants_pipeline else []
    if not (hunts or captures):
        known = ", ".join(target.name for target in driving.targets())
        parser.error(f"nothing is named {' '.join(args.only)}; known are {known}")
    if args.case is not None:
        for hunt in (*hunts, *captures):
            sys.stdout.write(f"{hunt.report.name}: {hunt.input(args.case)}\n")
        return 0
    share = args.seconds / (len(hunts) + PIPELINE * len(captures))
    for hunt, weight in (*((hunt, 1) for hunt in hunts), *((hunt, PIPELINE) for hunt in captures)):
        hunt.run(share * weight)
        _print(hunt.report)
    return int(any(hunt.report.findings for hunt in (*hunts, *captures)))


def _print(report: hunting.Report) -> None:
    slow = f"slowest {report.slowest:.1f} times normal ({report.slow_seconds * 1000:.1f} ms)" if report.slowest else ""
    sys.stdout.write(f"{report.name:16} {report.cases:8} cases  {slow}\n")
    for what, number, _ in report.findings:
        sys.stdout.write(f"  case {number}: {what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
