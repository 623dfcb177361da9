"""What a materialization tells of text that an attacker may have written."""

from collections import Counter

from defender_assets.core.rows import Tally
from defender_assets.core.tables import ALERT_INFO
from defender_assets.core.typed import TypedReport
from defender_assets.metadata.reports import typed_metadata


def test_names_of_fields_that_hide_are_shown_as_escapes() -> None:
    report = TypedReport(Tally(misfits=Counter({"Ev\u202eil": 2})))

    told = typed_metadata(ALERT_INFO, report, 0)["unmapped_fields"]

    assert told.value == {"Ev\\u202eil": 2}
