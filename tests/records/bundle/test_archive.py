"""Bundles from strangers: damage is noticed, traps do not spring."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdbench.records.bundle import archive as bundle
from kdbench.records.bundle.archive import RECORD
from kdbench.records.bundle.manifest import Listed, Manifest
from kdbench.records.files import read_record
from kdbench.records.submit import submit
from kdbench.records.verify import usable, verify
from tests.support.fuzzing import some
from tests.support.made_records import contents, packed, several, tuned, whats
from tests.support.record_inputs import Change, changes, cuts, holds_for_bundle


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A bundle of two records."""
    return submit(several(tmp_path / "results", 2), tmp_path / "b.zip", by="Ada").path


@pytest.mark.fault("an altered byte of a bundle", times=60)
def test_any_edited_byte_of_a_file_is_noticed(sent: Path, tmp_path: Path) -> None:
    """However the zip file was packed again; the other record stays usable unless the manifest was edited."""
    files = contents(sent)

    @given(st.sampled_from(sorted(files)), st.integers(0, 10**9), st.integers(1, 255), st.booleans())
    def check(name: str, place: int, by: int, deep: bool) -> None:
        content = bytearray(files[name])
        content[place % len(content)] ^= by
        records, problems = usable([packed(tmp_path / "edited.zip", files | {name: bytes(content)})], deep=deep)
        assert problems
        assert all(problem.path == f"{tmp_path / 'edited.zip'}:{name}" for problem in problems)
        ids = {Path(other).name.partition(".")[0] for other in files} - {"manifest"}
        expected = set() if name == "manifest.json" else ids - {Path(name).name.partition(".")[0]}
        assert {record.run_id for record in records} == expected

    check()


@pytest.mark.fault("an altered byte of a bundle", times=60)
def test_any_edited_byte_of_the_zip_file_is_noticed_or_changes_nothing(sent: Path, tmp_path: Path) -> None:
    whole, expected = sent.read_bytes(), verify([sent])[0]

    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def check(place: int, by: int) -> None:
        content = bytearray(whole)
        content[place] ^= by
        edited = tmp_path / "edited.zip"
        edited.write_bytes(content)
        records, problems = verify([edited])
        assert problems or records == expected
        assert all(record in expected for record in records)

    check()


@pytest.mark.parametrize("end", [0, 10, 1000, -1, -30])
def test_a_bundle_cut_short(end: int, sent: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.zip"
    half.write_bytes(sent.read_bytes()[:end])
    records, (problem,) = verify([half])
    assert records == []
    # Arrays are zip files too: the end of one of them may be taken for that of the bundle.
    assert problem.what in ("cannot be opened", "not a bundle")


def test_a_file_less(sent: Path, tmp_path: Path) -> None:
    for name in contents(sent):
        files = contents(sent)
        files.pop(name)
        records, problems = verify([packed(tmp_path / "less.zip", files)])
        if name == "manifest.json":
            assert (records, whats(problems)) == ([], ["not a bundle"])
        else:
            assert len(records) == 1
            expected = ["missing", "without its record", "without its record"]
            assert whats(problems) == (expected if RECORD.fullmatch(name) else ["missing"])


def test_a_file_that_nobody_vouches_for(sent: Path, tmp_path: Path) -> None:
    records, (problem,) = verify([packed(tmp_path / "more.zip", contents(sent) | {f"toys/{'0' * 12}.json": b"{}"})])
    assert (problem.what, len(records)) == ("not in the manifest", 2)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("toys/deep/notes.json", "of no known kind"),
        (f"toys/{'0' * 12}.test.npz", "without its record"),
        (f"toys/{'0' * 12}.trace.json", "without its record"),
    ],
)
def test_a_file_that_is_vouched_for_and_does_not_belong(name: str, what: str, sent: Path, tmp_path: Path) -> None:
    files = contents(sent) | {name: b"{}"}
    said = json.loads(files["manifest.json"])
    sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}
    listed = {key: Listed(**value) for key, value in said["files"].items()} | {name: Listed(bytes=2, sha256=sha256)}
    files["manifest.json"] = Manifest(kdbench=said["kdbench"], by="Ada", dirty=[], files=listed).sealed().content()
    records, problems = verify([packed(tmp_path / "more.zip", files)])
    assert (whats(problems), len(records)) == ([what], 2)


OUTSIDE = [
    "../out.json",
    "toys/../../out.json",
    "/out.json",
    "toys//out.json",
    "C:/out.json",
    "..\\out.json",
    "a/./b",
    "..",
    "a\n",
]


@pytest.mark.parametrize("name", [*OUTSIDE, ".hidden"])
def test_a_name_that_leads_outside(name: str, sent: Path, tmp_path: Path) -> None:
    trap = packed(tmp_path / "trap.zip", contents(sent) | {name: b"{}"})
    before = sorted(tmp_path.rglob("*"))
    records, (problem,) = verify([trap])
    assert (records, problem.what, problem.found) == ([], "a name that may lead outside", repr(name))
    assert sorted(tmp_path.rglob("*")) == before


def with_link(archive: ZipFile) -> None:
    info = ZipInfo("toys/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def with_bzip2(archive: ZipFile) -> None:
    archive.writestr("toys/other", b"x" * 100, ZIP_BZIP2)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("add", "what"),
    [
        (with_link, "a link"),
        (with_bzip2, "packed by an unsupported method"),
        (lambda archive: archive.writestr("manifest.json", b"{}"), "a name that occurs twice"),
    ],
)
def test_other_traps(add: Callable[[ZipFile], object], what: str, sent: Path) -> None:
    with ZipFile(sent, "a") as archive:
        add(archive)
    records, problems = verify([sent])
    assert (records, whats(problems)) == ([], [what])


def test_a_bomb_is_not_unpacked(sent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory tells; a megabyte stands for two gigabytes here."""
    assert (bundle.MAX_BYTES, bundle.MAX_FILES) == (2 * 10**9, 200_000)
    monkeypatch.setattr(bundle, "MAX_BYTES", 10**6)
    with ZipFile(sent, "a", ZIP_DEFLATED) as archive:
        archive.writestr("toys/bomb", bytes(10**6))
    monkeypatch.setattr(ZipFile, "open", lambda *_, **__: pytest.fail("unpacked"))
    records, (problem,) = verify([sent])
    assert (records, problem.what) == ([], "too large when unpacked")


def test_a_bundle_of_too_many_files(sent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = len(contents(sent))
    monkeypatch.setattr(bundle, "MAX_FILES", count)
    assert verify([sent])[1] == []
    monkeypatch.setattr(bundle, "MAX_FILES", count - 1)
    assert whats(verify([sent])[1]) == ["too many files"]


def test_packed_again_by_another_tool(sent: Path, tmp_path: Path) -> None:
    """Deflated, with folders, in another order: the files are the same."""
    again = tmp_path / "again.zip"
    with ZipFile(again, "w", ZIP_DEFLATED) as archive:
        archive.mkdir("toys")
        for name, content in reversed(contents(sent).items()):
            archive.writestr(name, content)
    assert verify([again]) == verify([sent])
    assert verify([again])[1] == []


def test_a_bundle_beside_a_folder(sent: Path, tmp_path: Path) -> None:
    records, problems = verify([tmp_path / "results", sent])
    assert [record.run_id for record in records] == [
        path.stem for path in sorted((tmp_path / "results/toys").glob("?" * 12 + ".json"))
    ]
    assert records == [read_record(tmp_path / "results/toys" / f"{record.run_id}.json") for record in records]
    assert all(problem.path.startswith(f"{sent}:") and "has two records" in problem.what for problem in problems)
    assert len(problems) == 2
    assert verify([tmp_path / "results", sent, tmp_path / "results"]) == (records, problems)


def test_something_else_called_zip(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("hello")
    assert whats(verify([tmp_path / "b.zip"])[1]) == ["cannot be opened"]
    with ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("hello", b"")
    assert whats(verify([tmp_path / "c.zip"])[1]) == ["not a bundle"]


def test_a_bundle_that_vouches_for_damage_is_refused_or_shown(tmp_path: Path) -> None:
    """Any of its files, with a manifest that lists it as it is; tests/faults tries 10,000."""
    tuned(tmp_path / "results")
    sent = submit([*several(tmp_path / "results", 2), tmp_path / "results"], tmp_path / "sent.zip").path

    @some
    @given(st.integers(0, 50), changes, cuts)
    def check(name: int, done: list[Change], cut: float) -> None:
        holds_for_bundle(tmp_path, sent, name, done, cut)

    check()
