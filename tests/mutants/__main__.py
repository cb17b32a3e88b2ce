"""Applies one-line mutants to a copy of the sources, one at a time, and runs the tests of which one should fail with each.

Fails if a mutant survives, or if the test that fails with it fails without it as well. Results are kept in .mutants.json for as
long as the sources and these tests stay the same: a run that was stopped resumes.
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
                outcome = of_mutant(tree, one, kept)
                if outcome in (CAUGHT, SURVIVED):
                    kept.put(key, outcome)
                told = f"{time.monotonic() - started:.0f} s"
            outcomes.append(outcome)
            print(f"{outcome:<8} {told:>5}  {one.file:<{width}}  {one.wrong}", flush=True)
    return outcomes


def of_mutant(tree: Tree, one: Mutant, kept: Kept) -> str:
    """What becomes of it."""
    with tree.mutated(one):
        found = tree.run(one.tests)
    if found.status == 0:
        return SURVIVED
    if found.status != FAILED or not found.failed:
        print(found.output, file=sys.stderr)
        return f"nothing was tested (pytest's exit status {found.status})"
    return CAUGHT if passes(tree, found.failed, kept) else f"{found.failed} fails without it, too"


def passes(tree: Tree, test: str, kept: Kept) -> bool:
    """Whether a test passes without a mutant."""
    key = f"{state([test])} {test}"
    if kept.get(key) is None:
        found = tree.run([test])
        if found.status:
            print(found.output, file=sys.stderr)
            return False
        kept.put(key, "passes")
    return True


if __name__ == "__main__":
    sys.exit(main())
