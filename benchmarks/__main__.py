"""`python -m benchmarks [NAME …] [--option …]`: run the named benchmarks, by default all, with the given options."""

import sys

from benchmarks import (
    append,
    backfill,
    clustering,
    garbage,
    increment,
    large_lake,
    leads,
    listing,
    plan,
    stages,
    startup,
    stories,
    syncing,
    throughput,
    ticks,
    triage,
)

BENCHMARKS = {
    "throughput": throughput.main,
    "append": append.main,
    "backfill": backfill.main,
    "clustering": clustering.main,
    "garbage": garbage.main,
    "increment": increment.main,
    "large_lake": large_lake.main,
    "leads": leads.main,
    "listing": listing.main,
    "plan": plan.main,
    "stages": stages.main,
    "startup": startup.main,
    "stories": stories.main,
    "syncing": syncing.main,
    "ticks": ticks.main,
    "triage": triage.main,
}


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if argument in BENCHMARKS]
    rest = [argument for argument in arguments if argument not in BENCHMARKS]
    for name in names or BENCHMARKS:
        print(f"== {name}")
        BENCHMARKS[name](rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
