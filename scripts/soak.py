"""The long versions of the tests that have no end: `make soak`. Stop it at any time, it goes on from there.

    make soak                       everything, in pieces, with a line of progress after each
    make soak ARGS="--only kill"    the jobs whose name begins so
    make soak ARGS="--status"       how far it is
    make soak ARGS="--again"        from the beginning, with new seeds

A piece that fails is shown whole and ends the run; the next run begins with it. What is done is kept in .soak.json.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
NOTES = ROOT / ".soak.json"


@dataclass(frozen=True)
class Job:
    """Some tests, run with one range of seeds (or number of rounds) after another."""

    name: str
    tests: tuple[str, ...]
    rounds: int
    piece: int
    what: str


JOBS = (
    Job("kill-sqlite", ("tests/faults/test_kill.py",), 50, 2, "seeds at each kill point"),
    Job("kill-postgres", ("tests/faults/test_kill_postgres.py",), 10, 1, "seeds at each kill point"),
    Job("kill-orders", ("tests/faults/test_kill_orders.py",), 50, 5, "seeds at each kill point"),
    Job("power-cut", ("tests/faults/test_power_cut.py",), 2000, 200, "power cuts"),
    Job("fifty-sqlite", ("tests/integration/test_credits.py", "-k", "fifty"), 500, 50, "rounds"),
    Job("fifty-postgres", ("tests/integration/test_several_processes.py", "-k", "fifty"), 500, 25, "rounds each"),
    Job("half-heads", ("tests/integration/test_overload.py", "-k", "half_heads"), 5000, 5000, "connections"),
    Job("outage", ("tests/faults/test_outages.py", "-k", "outage_of_a_minute"), 5, 1, "outages in real time"),
    Job("cassettes", ("tests/conformance/test_cassette_cuts.py", "-k", "cut_is"), 50, 5, "seeds of 200 cuts each"),
    Job("cancelling", ("tests/faults/test_cancelling.py", "-k", "sample"), 1000, 50, "seeds, 3 scenes each"),
    Job("overload", ("tests/faults/test_outage.py", "-rP"), 1, 1, "rounds of six outages of a minute each"),
    Job("machine", ("tests/stateful",), 20_000, 200, "runs of the state machine on each store"),
)


def main() -> int:
    """Run what is left of the jobs. The exit code: 0, or 1 for a piece that failed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", default="", metavar="NAME", help="the jobs whose name begins so")
    arguments.add_argument("--status", action="store_true", help="say how far it is, and run nothing")
    arguments.add_argument("--again", action="store_true", help="forget what is done; later seeds are taken")
    options = arguments.parse_args()
    notes = json.loads(NOTES.read_text()) if NOTES.exists() else {}
    if options.again:
        notes = {name: {"first": done["first"] + done["done"], "done": 0} for name, done in notes.items()}
    jobs = [job for job in JOBS if job.name.startswith(options.only)]
    if not jobs:
        print(f"no job begins with {options.only}: there are {', '.join(job.name for job in JOBS)}")
        return 2
    for job in jobs:
        note = notes.setdefault(job.name, {"first": 0, "done": 0})
        if options.status:
            print(f"{job.name:16} {note['done']:6} of {job.rounds} {job.what}")
            continue
        while note["done"] < job.rounds:
            rounds = min(job.piece, job.rounds - note["done"])
            if not run(job, note["first"] + note["done"], rounds):
                return 1
            note["done"] += rounds
            NOTES.write_text(json.dumps(notes, indent=1))
            print(f"{job.name}: {note['done']} of {job.rounds} {job.what}", flush=True)
    return 0


def run(job: Job, first: int, rounds: int) -> bool:
    """One piece. Whether it passed."""
    environ = {**os.environ, "RELEVO_SOAK_FROM": str(first), "RELEVO_SOAK_ROUNDS": str(rounds)}
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--timeout", "3600", *job.tests]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-20_000:], done.stderr[-2000:], sep="\n")
        print(f"FAILED: {job.name}, from {first}, after {time.monotonic() - started:.0f} s")
        print(f"again: RELEVO_SOAK_FROM={first} RELEVO_SOAK_ROUNDS={rounds} pytest {' '.join(job.tests)}")
    for line in done.stdout.splitlines():
        if line.startswith("figures: "):
            print(f"  {line.removeprefix('figures: ')}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
