"""What if: leads, stories and queue of a span by other rules, compared with those by the current ones. Writes nothing.

Callers hand in the derived tables of each side, with its rules.
"""

from defender_assets.outputs.what_if.report import compare

__all__ = ["compare"]
