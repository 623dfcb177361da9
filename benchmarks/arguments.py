"""Types of arguments that several benchmarks take."""

import argparse


def at_least_one(text: str) -> int:
    """Return a number of measurements; without any there is no median."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: expected 1 or more")
    return number
