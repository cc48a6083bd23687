"""`python -m fuzz --seed N --cases M`: made and mutated requests at the front door."""

import argparse
import secrets
import sys
import time

from fuzz.run import run


def main() -> int:
    """Exit status 0 when nothing went wrong, 1 with the failing case and what repeats it."""
    options = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    options.add_argument("--seed", type=int, help="repeats a run; else a fresh one is drawn")
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--batch", type=int, help="only the batch of this number")
    given = options.parse_args()
    first = secrets.randbits(32) if given.seed is None else given.seed
    print(f"seed {first}, {given.cases} cases", flush=True)
    began = time.monotonic()
    tally, failure = run(first, given.cases, lambda line: print(line, flush=True), given.batch)
    print(f"{tally.cases} cases in {time.monotonic() - began:.0f} s; by mode {dict(tally.modes)}")
    print(f"{tally.socket_cases} of them through a socket as well")
    print(f"{tally.rows_read} rows of {tally.collections_read} collections read back")
    for outcome, count in tally.outcomes.most_common():
        print(f"{count:8} {outcome}")
    if failure is None:
        print("nothing went wrong")
        return 0
    print(
        f"\n{failure}\n\nrepeat it with: make fuzz ARGS='--seed {first} --cases {given.cases}"
        f" --batch {failure.batch}'"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
