import pytest

from defender_assets.catalog import DERIVED, LEADS, QUARANTINED, SPECS, TYPED
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES, Origin
from defender_assets.core.schemas.column import Column

UPSTREAM = {
    **{table.name: {table.raw} for table in TABLES},
    QUARANTINED.name: {table.raw for table in TABLES},
    **{derived.name: {upstream.name for upstream in derived.upstreams} for derived in DERIVED},
}
# a constant, and a value that is in no raw column
WITHOUT_ORIGIN = {
    "device_enriched_leads": {"scoring_version"},
    "ocsf_detection_findings": {"class_uid"},
    QUARANTINED.name: {"table_name"},
}


def column(table: str, name: str) -> Column:
    return next(column for column in SPECS[table].columns if column.name == name)


@pytest.mark.parametrize("name", SPECS)
def test_every_column_has_a_meaning_and_a_name_of_its_own(name: str) -> None:
    columns = SPECS[name].columns
    assert [column.name for column in columns if not column.meaning] == []
    assert len({column.name for column in columns}) == len(columns) > 0


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_column_has_origins(name: str) -> None:
    without_origins = {column.name for column in SPECS[name].columns if not column.origins}
    assert without_origins - {BUILT_VERSION.name} == WITHOUT_ORIGIN.get(name, set())


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_origin_is_a_column_of_an_upstream_table(name: str) -> None:
    origins = {origin for column in SPECS[name].columns for origin in column.origins}

    assert {origin.table for origin in origins} == UPSTREAM[name]
    for origin in origins:
        assert origin.column in SPECS[origin.table].schema, origin


def test_a_lead_column_is_traced_to_the_bytes() -> None:
    assert Origin(DEVICE_INFO.name, "ExposureLevel") in column(LEADS.name, "exposure_level").origins
    assert column(DEVICE_INFO.name, "ExposureLevel").origins == (Origin(DEVICE_INFO.raw, "content"),)
    assert column(ALERT_INFO.name, "blob").origins == (Origin(ALERT_INFO.raw, "blob"),)


def test_the_typed_tables_of_the_catalog_are_the_three_of_the_export() -> None:
    assert [table.name for table in TYPED] == [table.name for table in TABLES]
