"""Applies one-line mutants to a copy of the sources, one at a time, and runs the tests that should fail with each.

Fails if a mutant survives, or if its tests fail without it. Results are kept in .mutants.json for as long as the sources and
these tests stay the same: a run that was stopped resumes.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.mutants.every import EVERY
from tests.mutants.kept import Kept
from tests.mutants.mutant import Mutant
from tests.mutants.tree import FAILED, Tree, copied, state

CAUGHT, SURVIVED = "caught", "SURVIVED"


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="test mutants with one of these in file or description")
    parser.add_argument("--again", action="store_true", help="ignore results of earlier runs")
    parser.add_argument("--list", action="store_true", help="list the mutants and test nothing")
    options = parser.parse_args()
    chosen = [one for one in EVERY if not options.words or any(word in f"{one.file} {one.wrong}" for word in options.words)]
    if options.list:
        print("\n".join(f"{one.file}: {one.wrong}" for one in chosen))
        return 0
    outcomes = examined(chosen, Kept(), options.again)
    caught = outcomes.count(CAUGHT)
    print(f"{len(outcomes)} mutants, {caught} caught, {len(outcomes) - caught} not")
    return 0 if caught == len(outcomes) else 1


def examined(mutants: Sequence[Mutant], kept: Kept, again: bool) -> list[str]:
    """The outcome of each mutant, printed as it comes."""
    outcomes = []
    width = max((len(one.file) for one in mutants), default=0)
    with copied() as tree:
        for one in mutants:
            started = time.monotonic()
            key = f"{state(one.tests)} {one.key}"
            outcome = None if again else kept.get(key)
            told = "kept" if outcome else ""
            if outcome is None:
                outcome = without(tree, one.tests, kept) or of_mutant(tree, one)
                if outcome in (CAUGHT, SURVIVED):
                    kept.put(key, outcome)
                told = f"{time.monotonic() - started:.0f} s"
            outcomes.append(outcome)
            print(f"{outcome:<8} {told:>5}  {one.file:<{width}}  {one.wrong}", flush=True)
    return outcomes


def without(tree: Tree, tests: Sequence[str], kept: Kept) -> str:
    """Why these tests tell nothing of mutants; "" if they pass without one."""
    for test in tests:
        key = f"{state([test])} {test}"
        if kept.get(key) is None:
            status, output = tree.run([test])
            if status:
                print(output, file=sys.stderr)
                return f"{test} fails without it (status {status})"
            kept.put(key, "passes")
    return ""


def of_mutant(tree: Tree, one: Mutant) -> str:
    """Whether a test fails with it."""
    with tree.mutated(one):
        status, output = tree.run(one.tests)
    if status in (0, FAILED):
        return CAUGHT if status else SURVIVED
    print(output, file=sys.stderr)
    return f"nothing was tested (pytest's exit status {status})"


if __name__ == "__main__":
    sys.exit(main())
