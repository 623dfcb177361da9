"""Updating a day's leads with new records gives what building all of them does, to the last value."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from defender_assets.core.leads import build, build_leads
from defender_assets.core.leads.devices.merges import merges
from defender_assets.core.leads.entities.correlation_keys import known_hashes
from defender_assets.core.leads.entities.identities import known_accounts
from defender_assets.core.leads.touched import touched_alerts, touched_by_heartbeats
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.alert_rows import DAY, EVE, Row, at, beat, evidence, info, leads_of, machine
from defender_assets_tests.support.growing_worlds import GrowingWorlds, Records, compare_updates, frames, updated

STEPS = 3


@pytest.fixture(autouse=True)
def always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LEAST_KEPT", 0)


# `make soak` tries more worlds, seeds and steps.
def test_leads_that_are_updated_are_those_that_are_built() -> None:
    assert compare_updates(60, 0, STEPS) == STEPS


def known(records: Records) -> tuple[pl.DataFrame, pl.DataFrame]:
    _, alert_evidence, _ = frames(records)
    return known_accounts(alert_evidence), known_hashes(alert_evidence)


def test_most_leads_stay_as_they_are() -> None:
    worlds = GrowingWorlds(60, 0)
    leads, new = worlds.build(), worlds.draw(1, (ALERT_EVIDENCE,))
    touched = touched_alerts(DAY, leads, *known(worlds.records + new), *frames(new)[:2])
    assert touched is not None
    assert 0 < touched.rebuilt.height < leads.height / 3
    assert 0 < touched.rescored.height < leads.height / 2


def test_new_heartbeats_leave_most_leads_as_they_are() -> None:
    worlds = GrowingWorlds(60, 0)
    leads, new = worlds.build(), worlds.draw(1, (DEVICE_INFO,))[::4]
    alert_info, alert_evidence, devices = frames(worlds.records + new)
    successors, new_heartbeats = merges(devices), frames(new)[2]
    touched = touched_by_heartbeats(DAY, leads, alert_info, alert_evidence, devices, successors, new_heartbeats)
    assert 0 < touched.height < leads.height / 3


def has_what_is_built(before: Records, new: Records) -> None:
    """Update with new records; this must change leads, to those of a full build."""
    leads = build_leads(DAY, *frames(before))
    now, built = updated(leads, before, new), build_leads(DAY, *frames(before + new))
    assert now is not None
    assert not built.equals(leads)
    assert_frame_equal(now, built)


def copy(row: Row, days: int) -> Records:
    return [(DEVICE_INFO, row | {"export_date": DAY + timedelta(days=days)})]


def test_a_device_that_was_known_on_the_eve_after_all_takes_its_lead_back() -> None:
    """On the eve its path of merges went where it does not go any more."""
    before: Records = [
        (ALERT_EVIDENCE, machine("a", "da1", day=EVE, Timestamp=at(days=-1))),
        (DEVICE_INFO, beat("a", at(days=-9_999), day=EVE, MergedToDeviceId="b")),
        (DEVICE_INFO, beat("a", at(days=-9_999), MergedToDeviceId="c", ReportId=2)),
        (DEVICE_INFO, beat("c", at(-1))),
    ]
    has_what_is_built(before, [(DEVICE_INFO, beat("b", at(days=-1), day=EVE))])


def test_a_merge_that_is_older_than_it_seemed_changes_the_leads_of_both_devices() -> None:
    newest = beat("c", at(24), MergedDeviceIds=["a"])
    older = beat("b", at(-1), MergedDeviceIds=["a"])
    before: Records = [(ALERT_EVIDENCE, machine("a", "da1")), (DEVICE_INFO, newest), (DEVICE_INFO, older)]
    has_what_is_built(before, copy(newest, -3))


@pytest.mark.parametrize("named", [{"device": "a"}, {"device": None, "DeviceName": "pc.corp.example"}])
def test_another_devices_heartbeats_make_a_device_silent_and_heard_again(named: Row) -> None:
    seen = beat("a", at(-24), day=EVE, DeviceName="pc.corp.example", MergedToDeviceId="b")
    quiet = beat("b", at(-23), day=EVE)
    alert = machine(alert="da1", Timestamp=at(-24), **named)
    before: Records = [(ALERT_EVIDENCE, alert), (DEVICE_INFO, seen), (DEVICE_INFO, quiet)]
    newest = beat("d", at(1.5))
    has_what_is_built(before, [(DEVICE_INFO, newest)])
    has_what_is_built([*before, (DEVICE_INFO, newest)], copy(newest, -2))


def test_a_program_of_the_system_links_its_leads_no_more() -> None:
    digest = "d" * 64
    before: Records = [
        (ALERT_EVIDENCE, evidence("File", "da1", FileName="x.exe", FolderPath="C:\\Temp", SHA256=digest))
    ]
    own: Row = {"FileName": "cmd.exe", "FolderPath": "C:\\Windows\\System32", "SHA256": digest.upper()}
    has_what_is_built(before, [(ALERT_EVIDENCE, evidence("Process", "da2", **own))])


SHA1, SHA256, OTHER = "1" * 40, "2" * 64, "3" * 64


def file(alert: str, **hashes: Any) -> tuple[Table, Row]:
    return ALERT_EVIDENCE, evidence("File", alert, **hashes)


@pytest.mark.parametrize(
    ("before", "new"),
    [
        ([file("da1", SHA1=SHA1)], [file("da2", SHA1=SHA1.upper(), SHA256=SHA256)]),
        ([file("da1", SHA256=SHA256), file("da2", SHA1=SHA1)], [file("da3", SHA1=SHA1, SHA256=SHA256)]),
        ([file("da1", SHA1=SHA1, SHA256=SHA256)], [file("da2", SHA1=SHA1)]),
        ([file("da1", SHA1=SHA1), file("da2", SHA1=SHA1, SHA256=SHA256)], [file("da3", SHA1=SHA1, SHA256=OTHER)]),
        ([file("da1", SHA1=SHA1), file("da2", SHA1=SHA1, SHA256=SHA256)], [file("da3", SHA1="4" * 40, SHA256=SHA256)]),
    ],
)
def test_the_other_hash_of_a_file_comes_and_goes(before: Records, new: Records) -> None:
    has_what_is_built(before, new)


def test_a_public_address_of_the_organisation_links_its_leads_no_more() -> None:
    before: Records = [(ALERT_EVIDENCE, evidence("Ip", f"da{n}", RemoteIP=f"203.0.113.{n}")) for n in (1, 2)]
    has_what_is_built(before, [(DEVICE_INFO, beat("a", PublicIP="203.0.113.1"))])


@pytest.mark.parametrize(("days", "in_doubt"), [(6, False), (7, True), (30, True)])
def test_a_record_that_makes_a_week_of_alerts_may_touch_every_lead(days: int, in_doubt: bool) -> None:
    before: Records = [(ALERT_INFO, info("da1")), (ALERT_INFO, info("da2", Title="Other"))]
    day = DAY - timedelta(days=days)
    new: Records = [(ALERT_INFO, info("da3", Title="Another", day=day, Timestamp=at(days=-days)))]
    assert (updated(leads_of([row for _, row in before]), before, new) is None) is in_doubt


def test_a_day_of_which_most_leads_change_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    before: Records = [(ALERT_INFO, info(f"da{number}")) for number in range(4)]
    new: Records = [(ALERT_INFO, info("da9"))]
    assert updated(leads_of([row for _, row in before]), before, new) is None


def test_an_account_that_joins_two_persons_changes_the_leads_of_both() -> None:
    submitter = {"Type": "mailMessage", "Submitter": {"Type": "account", "Sid": "S-1-5-21-1-2-3-4"}}
    before: Records = [
        (ALERT_EVIDENCE, evidence("User", "da1", AccountUpn="one@corp.example")),
        (ALERT_EVIDENCE, evidence("MailMessage", "da2", NetworkMessageId="m", fields=submitter)),
        (ALERT_EVIDENCE, evidence("User", "da3", AccountUpn="other@corp.example")),
    ]
    new: Records = [
        (ALERT_EVIDENCE, evidence("User", "da4", AccountUpn="one@corp.example", AccountSid="S-1-5-21-1-2-3-4"))
    ]
    leads = leads_of([], [row for _, row in before])
    touched = touched_alerts(DAY, leads, *known(before + new), *frames(new)[:2])
    assert touched is not None
    assert set(touched.rebuilt["AlertId"]) == {"da1", "da2", "da4"}
    now = updated(leads, before, new)
    assert now is not None
    assert_frame_equal(now, build_leads(DAY, *frames(before + new)))


@pytest.mark.parametrize("device", ["b", "c"])
def test_a_device_that_is_merged_elsewhere_changes_the_leads_of_the_others(device: str) -> None:
    """The lead names neither of the merged ones, but is linked by what was merged into its device."""
    merged = beat("a", at(-2), MergedToDeviceId="b")
    before: Records = [
        (ALERT_EVIDENCE, machine(device, "da1")),
        (DEVICE_INFO, beat(device, at(-3))),
        (DEVICE_INFO, merged),
    ]
    has_what_is_built(before, [(DEVICE_INFO, beat("a", at(-1), MergedToDeviceId="c"))])
    has_what_is_built(before[:2], [(DEVICE_INFO, beat("a", at(-1), MergedToDeviceId=device))])
