from __future__ import annotations

from pathlib import Path

import pytest

from kdbench.errors import KdbenchError
from kdbench_plugins.reports.site.site_folder import MARKER, replaced


def _write(folder: Path, text: str) -> None:
    with replaced(folder) as partial:
        (partial / "index.html").write_text(text)


def _fail(folder: Path) -> None:
    with replaced(folder) as partial:
        (partial / "index.html").write_text("half")
        raise ZeroDivisionError


def _write_while_another_does(folder: Path) -> None:
    with replaced(folder) as partial:
        (partial / "index.html").write_text("new")
        folder.mkdir()
        (folder / "precious.txt").write_text("x")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_made_with_its_parents_and_replaced_whole(tmp_path: Path) -> None:
    site = tmp_path / "a" / "site"
    with replaced(site) as partial:
        (partial / "runs").mkdir()
        (partial / "runs" / "old.html").write_text("old")
        assert not site.exists()
    assert _names(site) == {"runs", MARKER}
    _write(site, "new")
    assert _names(site) == {"index.html", MARKER}
    assert _names(site.parent) == {"site"}
    assert site.stat().st_mode & 0o777 == 0o755


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    _write(tmp_path / "site", "new")
    assert (tmp_path / "site" / "index.html").read_text() == "new"


def test_where_writing_fails_the_old_site_stays(tmp_path: Path) -> None:
    site = tmp_path / "site"
    _write(site, "old")
    with pytest.raises(ZeroDivisionError):
        _fail(site)
    assert (site / "index.html").read_text() == "old"
    assert _names(tmp_path) == {"site"}


def test_what_is_no_site_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x")
    with pytest.raises(KdbenchError, match=r"not empty and not a site .* choose another folder"):
        _write(tmp_path, "new")
    assert _names(tmp_path) == {"precious.txt"}
    with pytest.raises(KdbenchError, match="is a file"):
        _write(tmp_path / "precious.txt", "new")
    with pytest.raises(KdbenchError, match="cannot be written"):
        _write(tmp_path / "precious.txt" / "site", "new")
    assert (tmp_path / "precious.txt").read_text() == "x"


def test_files_that_someone_put_into_a_site_are_named_and_kept(tmp_path: Path) -> None:
    site = tmp_path / "site"
    _write(site, "old")
    (site / ".git").mkdir()
    (site / "CNAME").write_text("example.org")
    with pytest.raises(KdbenchError, match=r"holds '\.git', 'CNAME'"):
        _write(site, "new")
    assert (site / "index.html").read_text() == "old"
    assert (site / "CNAME").read_text() == "example.org"


def test_files_that_appear_while_it_is_written_are_kept_too(tmp_path: Path) -> None:
    site = tmp_path / "site"
    with pytest.raises(KdbenchError, match="not empty"):
        _write_while_another_does(site)
    assert _names(site) == {"precious.txt"}


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for folder in (Path(), Path("..")):
        with pytest.raises(KdbenchError, match="contains the working directory"):
            _write(folder, "new")
    _write(Path("site"), "new")
    assert (tmp_path / "below" / "site" / "index.html").exists()
