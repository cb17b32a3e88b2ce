"""Parts of runs: what counts as a difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kdbench.records.parts import Part, differences, packages, plugins_of
from tests.support.toys import plugged, run_spec

DIGESTS = st.sampled_from(["", "a" * 64, "b" * 64])
PARTS = st.builds(
    Part,
    package=st.sampled_from(["kdbench", "kdbench-mine"]),
    version=st.sampled_from(["1", "2"]),
    code=DIGESTS,
    content=st.none() | DIGESTS,
)
NAMED = st.dictionaries(st.sampled_from(["student s", "teacher t", "dataset d"]), PARTS)


@given(NAMED, NAMED)
def test_what_is_known_of_both_counts(then: dict[str, Part], now: dict[str, Part]) -> None:
    """Written the long way round."""
    expected = []
    for name in then:
        if name not in now:
            continue
        one, other = then[name], now[name]
        files = one.content is not None and other.content is not None and one.content != other.content
        third_party = one.package != "kdbench" and other.package != "kdbench"
        code = third_party and one.code != "" and other.code != "" and one.code != other.code
        expected += [name] if files or code else []
    assert [clause.partition(":")[0] for clause in differences(then, now)] == expected
    assert differences(then, then) == []
    assert bool(differences(then, now)) == bool(differences(now, then))


def test_a_difference_says_what_has_changed() -> None:
    then, now = (Part(package="kdbench-mine", code=letter * 64, content="") for letter in "ab")
    assert differences({"strategy s": then}, {"strategy s": now}) == [
        "strategy s: the code of kdbench-mine has changed (aaaaaaaa then, bbbbbbbb now)"
    ]
    files = {"teacher t": then.replace(content="c" * 64)}
    assert "its files have changed (content none then, cccccccc now)" in differences({"teacher t": then}, files)[0]


def test_every_plugin_of_a_run_is_a_part() -> None:
    spec = run_spec()
    names = [name for name, _, _ in plugins_of(spec)]
    assert len(set(names)) == len(names)
    assert {"task", "dataset beads", "teacher a", "teacher b"} <= set(names)
    reference = spec.replace(role="reference", train=None, team=(), student=plugged("sage"), strategy=None, objective=())
    assert [name for name, _, _ in plugins_of(reference)] == ["task", "dataset beads", "teacher sage"]


def test_packages_have_one_version_each() -> None:
    parts = [
        Part(package="b", version="2"),
        Part(package="a", version="1"),
        Part(package="none"),
        Part(package="a", version="1"),
    ]
    assert packages(parts) == {"a": "1", "b": "2"}
