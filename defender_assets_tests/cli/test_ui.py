"""`ui`: what it refuses before it starts anything, and that all its processes end with it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from defender_assets.cli import dagster_dev, main
from defender_assets.cli.demo.scenario import prepare_export
from defender_assets.settings import DEMO, READING_DEMO
from defender_assets_tests.support.process_groups import free_port
from defender_assets_tests.support.waiting import wait_until

# like `dagster dev`: it ends at SIGINT and leaves a child that does not
LEAVES_A_CHILD = """
import pathlib, subprocess, sys, time
stays = "import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(999)"
child = subprocess.Popen([sys.executable, "-c", stays])
pathlib.Path("child").write_text(str(child.pid))
try:
    time.sleep(999)
except KeyboardInterrupt:
    pass
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file to which the command writes its DAGSTER_HOME and its arguments once it is started."""
    told = f"open({str(tmp_path / 'started')!r}, 'w').write(os.environ['DAGSTER_HOME'] + ' ' + ' '.join(sys.argv[1:]))"
    monkeypatch.setattr(dagster_dev, "COMMAND", (sys.executable, "-c", f"import os, sys; {told}"))
    return tmp_path / "started"


def serve(home: Path, port: int) -> Result:
    return CliRunner().invoke(main, ["ui", "--port", str(port), "--home", str(home)])


def test_a_busy_port_is_refused_before_anything_starts(fake: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        result = serve(tmp_path / "home", port)

    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: port {port} of 127.0.0.1 cannot be used (Address already in use)")
    assert result.stderr.count("\n") == 1
    assert not fake.exists()
    assert not (tmp_path / "home").exists()


def alive(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_second_one_is_refused_and_ctrl_c_ends_all_processes(fake: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = f"({sys.executable!r}, '-c', {LEAVES_A_CHILD!r})"
    code = f"from defender_assets.cli import dagster_dev, main; dagster_dev.COMMAND = {command}; main()"
    first = subprocess.Popen(
        [sys.executable, "-c", code, "ui", "--port", str(free_port()), "--home", str(home)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        written = tmp_path / "child"
        wait_until(lambda: written.exists() and bool(written.read_text()), "the start of the processes")
        child = int(written.read_text())

        second = serve(home, free_port())

        assert second.exit_code == 2
        assert second.stderr == f"error: Dagster's UI already runs on {home} (process {first.pid}): stop it first\n"
        assert not fake.exists()

        first.send_signal(signal.SIGINT)
        assert first.wait(30) == 0
        assert not alive(child)
    finally:
        first.kill()
        first.wait()

    # the lock went with the process
    assert serve(home, free_port()).exit_code == 0
    assert fake.exists()


def test_an_empty_directory_gets_an_instance_with_the_settings_of_this_project(fake: Path, tmp_path: Path) -> None:
    port = free_port()
    home = tmp_path / ".defender" / "dagster"

    result = CliRunner().invoke(main, ["ui", "--port", str(port)])

    assert result.exit_code == 0, result.output
    assert result.stdout == f"Dagster: http://127.0.0.1:{port} (stop with Ctrl-C).\n"
    assert fake.read_text() == f"{home} -p {port} -w {home / 'workspace.yaml'}"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert (instance.telemetry_enabled, instance.nux_enabled) == (False, False)
        assert instance.run_monitoring_enabled
    # limits that a user changes stay
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    assert CliRunner().invoke(main, ["ui", "--port", str(port)]).exit_code == 0
    assert (home / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_the_instance_is_the_demos_while_the_demo_is_read(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_export(tmp_path)
    result = CliRunner().invoke(main, ["ui", "--port", str(free_port())])
    assert (result.exit_code, result.stderr) == (0, f"{READING_DEMO}\n")
    assert fake.read_text().startswith(f"{tmp_path / DEMO / 'dagster'} ")

    monkeypatch.setenv("DEFENDER_LAKE_URI", "elsewhere")
    result = CliRunner().invoke(main, ["ui", "--port", str(free_port())])
    assert (result.exit_code, result.stderr) == (0, "")
    assert fake.read_text().startswith(f"{tmp_path / '.defender' / 'dagster'} ")


def test_a_wrong_setting_is_one_line_and_nothing_starts(
    fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFENDER_START_DATE", "soon")
    result = CliRunner().invoke(main, ["ui"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: DEFENDER_START_DATE is 'soon'")
    assert list(tmp_path.iterdir()) == []
