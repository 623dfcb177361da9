import pytest

from defender_assets.core.derived import DERIVED
from defender_assets.core.lineage import Origin, lineage_of
from defender_assets.core.lines.rows import QUARANTINE_COLUMNS
from defender_assets.core.raw import RAW_COLUMNS
from defender_assets.core.tables import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.core.typed import QUARANTINE

COLUMNS = {
    **{table.raw: [column.name for column in RAW_COLUMNS] for table in TABLES},
    **{table.name: [column.name for column in table.all_columns] for table in TABLES},
    QUARANTINE: [column.name for column in QUARANTINE_COLUMNS],
    **{derived.name: [column.name for column in derived.columns] for derived in DERIVED},
}
UPSTREAM = {
    **{table.name: {table.raw} for table in TABLES},
    QUARANTINE: {table.raw for table in TABLES},
    **{derived.name: {upstream.name for upstream in derived.upstreams} for derived in DERIVED},
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_column_says_where_it_comes_from(name: str) -> None:
    assert set(lineage_of(name)) == set(COLUMNS[name])


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_origin_is_a_column_of_a_table_that_is_read(name: str) -> None:
    origins = {origin for origins in lineage_of(name).values() for origin in origins}

    assert origins
    assert {origin.table for origin in origins} == UPSTREAM[name]
    for origin in origins:
        assert origin.column in COLUMNS[origin.table], origin


def test_a_lead_column_is_followed_to_the_bytes() -> None:
    assert Origin(DEVICE_INFO.name, "ExposureLevel") in lineage_of("device_enriched_leads")["exposure_level"]
    assert lineage_of(DEVICE_INFO.name)["ExposureLevel"] == (Origin(DEVICE_INFO.raw, "content"),)
    assert lineage_of(ALERT_INFO.name)["blob"] == (Origin(ALERT_INFO.raw, "blob"),)
