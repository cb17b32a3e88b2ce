"""Bytes of images: what is wrong with a file makes it unusable, what is wrong with the machine does not."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdbench import KdbenchError
from kdbench.cli import app
from kdbench_plugins.datasets.blobs import Blob, FileBlob, ShardBlob
from tests.support.encoded_pictures import encoded, smooth

FAILING = Path("/proc/self/mem")  # its first bytes cannot be read: EIO, as from a failing disk
fails = pytest.mark.skipif(sys.platform != "linux", reason="needs a file whose reading fails")


@pytest.mark.parametrize("missing", [Path("nowhere.jpg"), Path("/"), Path("x" * 300)], ids=["none", "folder", "long name"])
def test_a_file_that_is_not_there(missing: Path) -> None:
    for blob in (FileBlob(missing), ShardBlob(missing, "1.jpg", 0, 3)):
        with pytest.raises(KdbenchError, match="cannot be read"):
            blob.read()


def test_a_file_that_is_not_there_is_told_with_the_row_that_names_it() -> None:
    with pytest.raises(KdbenchError, match=r"^nowhere\.jpg: cannot be read \(No such.*\); named in t\.csv: row 3$"):
        FileBlob(Path("nowhere.jpg"), "t.csv: row 3").read()


@fails
@pytest.mark.parametrize("blob", [FileBlob(FAILING), ShardBlob(FAILING, "1.jpg", 0, 3)])
def test_a_disk_that_fails(blob: Blob) -> None:
    with pytest.raises(OSError, match="Input/output error") as raised:
        blob.read()
    assert raised.value.errno == errno.EIO
    assert raised.value.filename == str(FAILING)


@fails
def test_a_disk_that_fails_puts_nothing_on_the_quarantine_list(tmp_path: Path) -> None:
    """`data check` ends; read again, the picture may be whole."""
    lines = ["image,caption,split"]
    for number, split in enumerate(["train", "train", "val", "val", "test", "test"]):
        (tmp_path / f"{number}.png").write_bytes(encoded(smooth(40, 40, number)))
        lines.append(f"{number}.png,caption {number},{split}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    (tmp_path / "0.png").write_bytes(b"damaged")
    (tmp_path / "1.png").unlink()
    (tmp_path / "1.png").symlink_to(FAILING)
    listed = tmp_path / "bad.txt"
    command = ["data", "check", "folder", f"table={tmp_path / 'table.csv'}", "size=32", "--quarantine", str(listed)]
    result = CliRunner().invoke(app, command)
    assert isinstance(result.exception, OSError)
    assert result.exception.errno == errno.EIO
    assert not listed.exists()
    (tmp_path / "1.png").unlink()
    (tmp_path / "1.png").write_bytes(encoded(smooth(40, 40, 1)))
    assert CliRunner().invoke(app, command).exit_code == 1
    assert listed.read_text() == f"{tmp_path / '0.png'}\n"
