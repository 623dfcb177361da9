"""The typed tables of a big tenant, generated directly in a lake, with as many columns as in Microsoft's export.

Run as a separate process (`python -m benchmarks.big_day LAKE …`), so that the benchmark does not count its memory.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.leads import ALERT_LOOKBACK_DAYS, DEVICE_LOOKBACK_DAYS
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.schemas.column import INSTANT, LOGGED_ON_USERS

TENANT = "11111111-2222-4333-8444-555555555555"
DAY = date(2026, 11, 3)
ROWS_OF_ALERT = 5
ROWS_OF_FILE = 250_000
_KINDS = ("Machine", "Process", "File", "User", "Ip")
_TITLES = 200

# The AdditionalFields of each kind of entity; each row replaces `@…@`.
_HOST = '"Host":{"$id":"3","MachineId":"@device@","HostName":"pc","OSFamily":"Windows","Type":"host"}'
_PROCESS = (
    '{"$id":"1","ProcessId":"0x1f4","CommandLine":"tool.exe @n@","CreationTimeUtc":"2026-11-03T08:00:00Z","ImageFile":'
    '{"$id":"2","Directory":"C:\\\\Temp","Name":"tool.exe","FileHashes":[{"$id":"4","Algorithm":"SHA256","Value":'
    '"@hash@","Type":"filehash"}],' + _HOST + ',"Type":"file"},"ParentProcess":{"$id":"5","ProcessId":"0x10",'
    '"ImageFile":{"$id":"6","Name":"shell.exe","Host":{"$ref":"3"},"Type":"file"},"Host":{"$ref":"3"},"Type":'
    '"process"},"Host":{"$ref":"3"},"LastVerdict":"Suspicious","LastRemediationState":"Active","Type":"process",'
    '"Role":1,"MergeByKey":"x","MergeByKeyHex":"@hash@","DetectionStatus":"Detected"}'
)
_FILE = (
    '{"$id":"1","Directory":"C:\\\\Temp","Name":"f@n@.exe","SizeInBytes":4096,"FileHashes":[{"$id":"2","Algorithm":'
    '"SHA256","Value":"@hash@"}],' + _HOST + ',"Type":"file","LastVerdict":"Suspicious","MergeByKeyHex":"@hash@"}'
)
_MACHINE = '{"$id":"1","MachineId":"@device@","HostName":"pc","OSFamily":"Windows","Type":"host","number":@n@}'
_USER = '{"$id":"1","Name":"u@user@","UPNSuffix":"corp.example","Type":"account","MergeByKeyHex":"@hash@"}'
_IP = '{"$id":"1","Address":"@address@","Location":{"CountryCode":"ZZ"},"Type":"ip","MergeByKeyHex":"@hash@"}'
_FIELDS = dict(zip(_KINDS, (_MACHINE, _PROCESS, _FILE, _USER, _IP), strict=True))
_HEARTBEAT = '{"filler":"' + "x" * 300 + '"}'

Made = Callable[[pl.DataFrame, "Size", date], pl.DataFrame]


@dataclass(frozen=True)
class Size:
    """Total rows, devices, and the number of days with alerts (1: all on DAY)."""

    evidence: int = 1_000_000
    heartbeats: int = 5_000_000
    devices: int = 100_000
    alert_days: int = ALERT_LOOKBACK_DAYS + 1


def fill(lake: Lake, size: Size) -> None:
    """Write the three typed tables."""
    for back in range(size.alert_days):
        rows = size.evidence // size.alert_days // ROWS_OF_ALERT * ROWS_OF_ALERT
        day, first = DAY - timedelta(days=back), back * rows
        _put(lake, ALERT_EVIDENCE, day, _pieces(first, rows, _evidence, size, day))
        _put(lake, ALERT_INFO, day, _pieces(first // ROWS_OF_ALERT, rows // ROWS_OF_ALERT, _info, size, day))
    for back in range(DEVICE_LOOKBACK_DAYS + 1):
        rows = size.heartbeats // (DEVICE_LOOKBACK_DAYS + 1)
        day = DAY - timedelta(days=back)
        _put(lake, DEVICE_INFO, day, _pieces(back * rows, rows, _heartbeats, size, day))


def add_alert(lake: Lake, size: Size) -> None:
    """Append one more alert to DAY, as the next version of the day."""
    held = lake.fenced(ALERT_INFO.name, DAY).version
    number = size.evidence + held
    _put(lake, ALERT_EVIDENCE, DAY, _pieces(number * ROWS_OF_ALERT, ROWS_OF_ALERT, _evidence, size, DAY))
    _put(lake, ALERT_INFO, DAY, _pieces(number, 1, _info, size, DAY))


def add_heartbeats(lake: Lake, size: Size, rows: int) -> None:
    """Append heartbeats of any devices to DAY, dated at any time of it, as the next version of the day."""
    first = size.heartbeats + lake.fenced(DEVICE_INFO.name, DAY).version * ROWS_OF_FILE
    _put(lake, DEVICE_INFO, DAY, _pieces(first, rows, _heartbeats, size, DAY))


def _put(lake: Lake, table: Table, day: date, frames: Iterable[pl.DataFrame]) -> None:
    target = lake.fenced(table.name, day)
    lake.commit(target, Commit(frames, target.version + 1))


def _pieces(first: int, rows: int, made: Made, size: Size, day: date) -> Iterator[pl.DataFrame]:
    for start in range(first, first + rows, ROWS_OF_FILE):
        end = min(start + ROWS_OF_FILE, first + rows)
        yield made(pl.DataFrame({"n": pl.int_range(start, end, eager=True)}), size, day)


def _rows(numbers: pl.DataFrame, table: Table, day: date, **columns: pl.Expr) -> pl.DataFrame:
    """Return rows of a table; columns that are not given are null."""
    n = pl.col("n")
    ours = {
        "tenant_id": pl.lit(TENANT),
        "export_date": pl.lit(day),
        "exported_at": pl.lit(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), INSTANT),
        "blob": pl.lit(f"tenantId={TENANT}/y={day:%Y}/m={day:%m}/d={day:%d}/h=08/m=00/PT1H.json"),
        "byte_offset": n * 1500,
        "record_id": _digits(n, 32, table.hunting_name),
    }
    values = ours | columns
    return numbers.select(
        values.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in table.schema.items()
    )


def _info(numbers: pl.DataFrame, _size: Size, day: date) -> pl.DataFrame:
    alert = pl.col("n")
    return _rows(
        numbers,
        ALERT_INFO,
        day,
        Timestamp=_moment(alert, day),
        AlertId=_alert_id(alert),
        Title=pl.format("Detection number {}", alert.hash(1) % _TITLES),
        Category=pl.lit("Execution"),
        Severity=_choice(alert, ("High", "Medium", "Low", "Informational")),
        ServiceSource=pl.lit("Microsoft Defender for Endpoint"),
        DetectionSource=pl.lit("EDR"),
        AttackTechniques=pl.lit(["PowerShell (T1059.001)"]),
    )


def _evidence(numbers: pl.DataFrame, size: Size, day: date) -> pl.DataFrame:
    n = pl.col("n")
    alert, kind = n // ROWS_OF_ALERT, _choice(n, _KINDS, hashed=False)
    device = _device(alert.hash(2) % size.devices)
    user = alert.hash(3) % size.devices
    address = pl.format("203.{}.{}.{}", alert.hash(4) % 200, alert.hash(5) % 250, alert.hash(6) % 250)
    is_kind = {name: kind == name for name in _KINDS}
    values = {"device": device, "n": n.cast(pl.String), "user": user.cast(pl.String), "address": address}
    values["hash"] = _digits(alert, 64, "file")
    text = kind.replace_strict(_FIELDS, return_dtype=pl.String)
    for name, value in values.items():
        text = text.str.split(f"@{name}@").list.join(value)
    program = is_kind["Process"] | is_kind["File"]
    return _rows(
        numbers,
        ALERT_EVIDENCE,
        day,
        Timestamp=_moment(alert, day),
        AlertId=_alert_id(alert),
        Title=pl.format("Detection number {}", alert.hash(1) % _TITLES),
        Severity=_choice(alert, ("High", "Medium", "Low", "Informational")),
        EntityType=kind,
        EvidenceRole=pl.when(is_kind["Machine"]).then(pl.lit("Impacted")).otherwise(pl.lit("Related")),
        DeviceId=pl.when(is_kind["Machine"]).then(device),
        DeviceName=pl.when(is_kind["Machine"]).then(pl.lit("pc.corp.example")),
        FileName=pl.when(program).then(pl.format("f{}.exe", alert)),
        FolderPath=pl.when(program).then(pl.lit("C:\\Temp")),
        SHA256=pl.when(program).then(_digits(alert, 64, "file")),
        ProcessCommandLine=pl.when(is_kind["Process"]).then(pl.format("tool.exe {}", n)),
        AccountUpn=pl.when(is_kind["User"]).then(pl.format("u{}@corp.example", user)),
        AccountSid=pl.when(is_kind["User"]).then(pl.format("S-1-5-21-1-2-3-{}", user)),
        AccountObjectId=pl.when(is_kind["User"]).then(_digits(user, 36, "user")),
        RemoteIP=pl.when(is_kind["Ip"]).then(address),
        AdditionalFields=text,
    )


def _heartbeats(numbers: pl.DataFrame, size: Size, day: date) -> pl.DataFrame:
    n = pl.col("n")
    device = n.hash(7) % size.devices
    partial = n.hash(8) % 3 == 0
    return _rows(
        numbers,
        DEVICE_INFO,
        day,
        Timestamp=_moment(n, day),
        DeviceId=_device(device),
        DeviceName=pl.format("pc{}.corp.example", device),
        ReportId=n + 2**59,
        PublicIP=pl.format("198.51.100.{}", device % 4),
        OSPlatform=pl.when(~partial).then(pl.lit("Windows11")),
        OSVersion=pl.when(~partial).then(pl.lit("23H2")),
        OSBuild=pl.when(~partial).then(22631),
        DeviceType=pl.lit("Workstation"),
        DeviceCategory=pl.lit("Endpoint"),
        MachineGroup=pl.lit("all"),
        OnboardingStatus=pl.lit("Onboarded"),
        SensorHealthState=pl.lit("Active"),
        ExposureLevel=_choice(device, ("Low", "Medium", "High")),
        AssetValue=pl.lit("Normal"),
        JoinType=pl.lit("AAD Joined"),
        AadDeviceId=_digits(device, 36, "aad"),
        HardwareUuid=_digits(device, 36, "hardware"),
        DeviceManualTags=pl.lit(["site-a"]),
        AdditionalFields=pl.lit(_HEARTBEAT),
        LoggedOnUsers=pl.concat_list(
            pl.struct(UserName=pl.format("u{}", device), DomainName=pl.lit("corp"), Sid=pl.lit("S-1-5-21-1-2-3-4"))
        ).cast(LOGGED_ON_USERS),
    ).sort("DeviceId", "Timestamp")  # as typed tables are sorted


def _moment(number: pl.Expr, day: date) -> pl.Expr:
    midnight = pl.lit(datetime(day.year, day.month, day.day, tzinfo=UTC), INSTANT)
    return midnight + pl.duration(seconds=(number.hash(9) % 86_400).cast(pl.Int64))


def _alert_id(number: pl.Expr) -> pl.Expr:
    return pl.format("da6390{}_1", number)


def _device(number: pl.Expr) -> pl.Expr:
    return _digits(number, 40, "device")


def _choice(number: pl.Expr, values: tuple[str, ...], *, hashed: bool = True) -> pl.Expr:
    index = (number.hash(10) if hashed else number) % len(values)
    return index.cast(pl.Int64).replace_strict(dict(enumerate(values)), return_dtype=pl.String)


def _digits(number: pl.Expr, length: int, salt: str) -> pl.Expr:
    """Return digits that depend on the number and compress no better than a hash."""
    seeds = range(sum(salt.encode()), sum(salt.encode()) + length // 16 + 1)
    parts = [number.cast(pl.Int64).hash(seed).cast(pl.String).str.zfill(20).str.tail(16) for seed in seeds]
    return pl.concat_str(parts).str.head(length)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_day", description=__doc__)
    parser.add_argument("lake")
    for name, value in asdict(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    options = vars(parser.parse_args())
    fill(Lake(options.pop("lake"), LAKE_TABLES), Size(**options))


if __name__ == "__main__":
    main()
