"""`python tests/conformance [-v] [NAME]`: replay the conformance cases and print how they compare."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

import cases


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="cases whose name holds this")
    parser.add_argument("-v", dest="verbose", action="store_true", help="list each case that differs")
    parser.add_argument("--no-triage", action="store_true", help="judge everything by every rule")
    parser.add_argument("--jobs", type=int, default=cpu_count() or 1)
    args = parser.parse_args()
    if not cases.CASES.is_dir():
        sys.stderr.write(f"the cases are not here: {cases.CASES}\n")
        return 2
    wanted = list(cases.cases(args.only))
    outcomes = run_all(wanted, args.jobs, triage=not args.no_triage)
    if args.verbose:
        for outcome in outcomes:
            if not outcome.same_counts:
                sys.stdout.write(line(outcome) + "\n")
    sys.stdout.write(cases.table(outcomes) + "\n")
    return 0


def run_all(wanted: list[cases.Case], jobs: int, *, triage: bool = True) -> list[cases.Outcome]:
    """Run cases in several processes."""
    if jobs < 2 or len(wanted) < 8:
        return [cases.run(case, triage=triage) for case in wanted]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(_one, wanted, [triage] * len(wanted), chunksize=4))


def _one(case: cases.Case, triage: bool) -> cases.Outcome:
    return cases.run(case, triage=triage)


def line(outcome: cases.Outcome) -> str:
    """Return what is wrong with one case."""
    word = "counts" if outcome.same_rules else "RULES"
    difference = ", ".join(f"{sid}: {a}/{b}" for sid, (a, b) in list(outcome.difference().items())[:6])
    why = outcome.error or "; ".join(p.split("test.rules:")[-1] for p in outcome.refused[:3])
    return f"{word:7}{outcome.case.name:52} {difference:44} {why[:110]}"


if __name__ == "__main__":
    sys.exit(main())
