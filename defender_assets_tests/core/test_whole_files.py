"""A file has its old content or all of the new one, and an error names the file."""

import errno
import os
import threading
from pathlib import Path
from typing import IO

import pytest

from defender_assets.core.whole_files import open_whole


def test_a_file_is_replaced_with_its_permissions_and_behind_its_link(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)

    with open_whole(link) as whole:
        whole.write("new\n")
        assert file.read_text() == "old"

    assert (link.is_symlink(), file.read_text(), file.stat().st_mode & 0o777) == (True, "new\n", 0o640)
    assert sorted(tmp_path.iterdir()) == [file, link]


def _write_half(file: IO[str], error: OSError) -> None:
    file.write("half")
    raise error


@pytest.mark.parametrize("old", ["old", None])
def test_a_block_that_raises_leaves_the_file_and_names_it(tmp_path: Path, old: str | None) -> None:
    file = tmp_path / "file"
    if old is not None:
        file.write_text(old)

    # as a full disk raises it when a buffer is written: without a name
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left") as raised, open_whole(file) as whole:
        _write_half(whole, full)

    assert raised.value.filename == str(file)
    assert [(each, each.read_text()) for each in tmp_path.iterdir()] == ([(file, old)] if old else [])


def test_a_missing_directory_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "file"

    with pytest.raises(FileNotFoundError) as raised, open_whole(file):
        pass

    assert raised.value.filename == str(file)


def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    with open_whole(pipe) as whole:
        whole.write("text")

    reader.join()
    assert (read, pipe.is_fifo()) == (["text"], True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_device_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as raised, open_whole(Path("/dev/full")) as whole:
        whole.write("text")

    assert raised.value.filename == "/dev/full"
