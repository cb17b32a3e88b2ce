"""An author mends a plugin and runs again: nothing that the other code made is taken for the new."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdbench.contracts import Site
from kdbench.deploy.export.load import trained_student
from kdbench.engines.session import Session
from kdbench.errors import KdbenchError
from kdbench.records.examine_parts import check_same_code, examine_parts
from kdbench.records.parts import Part
from kdbench.records.record import Record
from kdbench.runs.context import RunContext
from kdbench.runs.execute import execute
from kdbench.runs.once import execute_once
from kdbench.storage import loaded_code
from kdbench.storage.cache import Cache
from kdbench.storage.code_digest import forget_code
from kdbench.suite.spec import RunSpec
from kdbench_plugins.engines.local import Local
from tests.support.authored import Authored
from tests.support.toys import plugged, run_spec, sage, term, toy_plugins

STRATEGY = """
class Own:
    def weigh(self, signal):
        losses = signal.losses.mean(dim=1)
        return torch.softmax({sign}losses, dim=0)

@hookimpl
def kdbench_strategies():
    return [Offer("own", Own)]
"""
TEACHER = """
class Own:
    def towers(self, data):
        towers = Sage().towers(data)
        towers.image.seed = {sign}7
        return towers

@hookimpl
def kdbench_teachers():
    return [Offer("own", Own)]
"""
STUDENT = """
from tests.support.toys import toy

def build(*, width: int = 8):
    student = toy(width=width)
    with torch.no_grad():
        student.module.image_tower.weight.mul_({sign}1)
    return student

@hookimpl
def kdbench_students():
    return [Offer("own", build)]
"""
DATASET = """
class Own(Beads):
    def __init__(self):
        super().__init__()

    def split(self, name):
        found = super().split(name)
        found.images[:] = [np.clip({sign}50 + image.astype(int), 0, 255).astype(np.uint8) for image in found.images]
        return found

@hookimpl
def kdbench_datasets():
    return [Offer("own", Own)]
"""
OBJECTIVE = """
class Own:
    def head(self, student_width, teacher_width):
        return None

    def losses(self, student, teacher, head, batch):
        return 2 {sign} 1.0 * (student.image * student.text).sum(dim=1)

@hookimpl
def kdbench_objectives():
    return [Offer("own", Own)]
"""
KINDS: dict[str, tuple[str, Callable[[], RunSpec]]] = {
    "strategy own": (STRATEGY, lambda: run_spec(strategy=plugged("own"))),
    "teacher own": (TEACHER, lambda: run_spec(team=(plugged("own"), sage("b")))),
    "student own": (STUDENT, lambda: run_spec(student=plugged("own"))),
    "objective 0 own": (OBJECTIVE, lambda: run_spec(objective=(term("own"),))),
    "dataset own": (DATASET, lambda: run_spec(dataset=plugged("own"))),
}


@pytest.fixture
def authored(tmp_path: Path) -> Iterator[Authored]:
    kept, written = list(sys.path), sys.dont_write_bytecode
    yield Authored(tmp_path / "site")
    sys.path[:], sys.dont_write_bytecode = kept, written


def session(context: RunContext) -> Session:
    return Session(Site(context.results, context.cache.root, "cpu", 1), Local(), context.plugins)


def fresh(spec: RunSpec, authored: Authored, folder: Path) -> Record:
    """The oracle: the run with nothing recorded and nothing in the cache."""
    return execute(spec, authored.context(folder))


@pytest.mark.parametrize("part", KINDS)
def test_an_edit_is_told_and_redone_and_no_cache_hands_out_what_was_before(
    part: str, authored: Authored, tmp_path: Path
) -> None:
    code, make = KINDS[part]
    spec = make()
    authored.write(code.format(sign="-"))
    before = execute(spec, authored.context(tmp_path))
    assert before.status == "ok", before.reason
    assert before.parts[part].package == f"kdbench-{authored.name}"

    same = session(authored.context(tmp_path))
    assert same.pending([spec]) == []
    assert same.changes == []

    authored.write(code.format(sign="+"))
    context = authored.context(tmp_path)
    told = session(context)
    assert told.pending([spec]) == []
    (sentence,) = told.changes
    assert sentence.startswith(f"{part}: the code of kdbench-{authored.name} has changed")
    assert "--redo" in sentence
    assert execute_once(spec, context) == before

    redone = session(context)
    assert redone.pending([spec], redo=True) == [spec]
    assert redone.changes == []
    after = execute_once(spec, context, redo=True)
    expected = fresh(spec, authored, tmp_path / "fresh")
    assert (after.status, after.arrays_sha256, after.metrics) == ("ok", expected.arrays_sha256, expected.metrics)
    assert after.arrays_sha256 != before.arrays_sha256
    assert after.dataset_digest == expected.dataset_digest
    assert execute_once(spec, authored.context(tmp_path), redo=True) == after  # nothing has changed since


def test_an_edit_of_a_module_that_the_plugin_imports_late_counts(authored: Authored, tmp_path: Path) -> None:
    late = """
    class Own:
        def weigh(self, signal):
            from .deep.signs import SIGN
            return torch.softmax(SIGN * signal.losses.mean(dim=1), dim=0)

    @hookimpl
    def kdbench_strategies():
        return [Offer("own", Own)]
    """
    spec = run_spec(strategy=plugged("own"))
    deep = tmp_path / "site" / authored.name / "deep"
    deep.mkdir(parents=True)
    (deep / "__init__.py").write_text("")
    (deep / "signs.py").write_text("SIGN = -1\n")
    authored.write(late)
    assert execute(spec, authored.context(tmp_path)).status == "ok"
    authored.write(late, unrelated="X = 1\n")
    assert session(authored.context(tmp_path)).pending([spec], redo=True) == []
    (deep / "signs.py").write_text("SIGN = 1\n")
    assert session(authored.context(tmp_path)).pending([spec], redo=True) == [spec]


def test_results_and_cache_in_the_folder_that_a_plugin_reads_are_no_change_of_its_files(
    authored: Authored, tmp_path: Path
) -> None:
    reading = '[Offer("own", Own, reads=lambda: [__import__("pathlib").Path(__file__).parent.parent.parent])]'
    authored.write(STRATEGY.format(sign="").replace('[Offer("own", Own)]', reading))
    spec = run_spec(strategy=plugged("own"))
    record = execute(spec, authored.context(tmp_path))
    assert record.status == "ok", record.reason
    context = authored.context(tmp_path)
    assert context.parts(spec, fresh=True)["strategy own"] == record.parts["strategy own"]
    assert session(authored.context(tmp_path)).pending([spec], redo=True) == []
    (tmp_path / "data").write_text("of the folder")
    assert session(authored.context(tmp_path)).pending([spec], redo=True) == [spec]


@pytest.mark.parametrize("when", ["before the run", "during the run"])
def test_a_run_that_may_have_executed_other_source_than_its_record_would_name_fails(
    when: str, authored: Authored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that is imported late and was edited after the plugin was loaded."""
    late = """
    from pathlib import Path

    class Own:
        def weigh(self, signal):
            edit = Path(__file__).with_name("edit")
            if edit.exists():
                edit.rename(edit.with_name("signs.py"))
            from .signs import SIGN
            return torch.softmax(SIGN * signal.losses.mean(dim=1), dim=0)

    @hookimpl
    def kdbench_strategies():
        return [Offer("own", Own)]
    """
    monkeypatch.setattr(loaded_code, "_noted", {})
    authored.write(late, signs="SIGN = -1\n")
    forget_code()
    plugins = toy_plugins().load([EntryPoint("own", authored.name, "kdbench")])
    package = authored.root / authored.name
    (package / ("signs.py" if when == "before the run" else "edit")).write_text("SIGN = 1\n")
    spec = run_spec(strategy=plugged("own"))
    record = execute(spec, RunContext(plugins, Cache(tmp_path / "cache"), tmp_path / "results"))
    assert record.status == "failed"
    assert f"{package}/signs.py: has changed since this process loaded {authored.name}" in record.reason


def test_processes_of_one_run_have_one_code(authored: Authored, tmp_path: Path) -> None:
    """A rank loads the plugins itself, after the parts of its run were examined."""
    spec, known = run_spec(strategy=plugged("own")), dict[str, Part]()
    authored.write(STRATEGY.format(sign="-"))
    context = authored.context(tmp_path)
    examine_parts(spec, context.plugins, context.cache, known)
    check_same_code(spec, authored.context(tmp_path).plugins, known)
    authored.write(STRATEGY.format(sign="+"))
    with pytest.raises(KdbenchError, match=f"strategy own: the code of kdbench-{authored.name} has changed .* run again"):
        check_same_code(spec, authored.context(tmp_path).plugins, known)


def test_a_nested_plugin_is_a_part_of_its_own(authored: Authored, tmp_path: Path) -> None:
    holder = """
    from typing import Annotated, Any
    from kdbench import Uses, build

    class Holder:
        def __init__(self, *, teacher: Annotated[dict[str, Any], Uses("teacher")]):
            self.teacher = teacher

        def towers(self, data):
            return build("teacher", self.teacher).towers(data)
    """
    outer = f"{holder}\n    @hookimpl\n    def kdbench_teachers():\n        return [Offer('holder', Holder)]\n"
    inner, other = Authored(tmp_path / "inner"), authored
    other.write(outer)
    inner.write(TEACHER.format(sign="-"))
    spec = run_spec(team=(plugged("holder", teacher={"use": "own"}), sage("b")))

    def both() -> RunContext:
        own = inner.context(tmp_path)
        context = other.context(tmp_path)
        context.plugins.register(sys.modules[inner.name], f"kdbench-{inner.name}:own")
        assert own.plugins is not context.plugins
        return context

    before = execute(spec, both())
    assert before.status == "ok", before.reason
    assert before.parts["teacher holder.teacher"].package == f"kdbench-{inner.name}"
    inner.write(TEACHER.format(sign="+"))
    context = both()
    told = session(context)
    assert told.pending([spec]) == []
    assert told.changes[0].startswith("teacher holder.teacher: the code of")
    assert execute_once(spec, context, redo=True).arrays_sha256 != before.arrays_sha256


FAILING = """
class Own:
    def head(self, student_width, teacher_width):
        return None

    def losses(self, student, teacher, head, batch):
        {body}

@hookimpl
def kdbench_objectives():
    return [Offer("own", Own)]
"""
BODIES = {
    "diverged": "return (0 * student.image).sum(dim=1).sqrt()",  # 0, with a gradient that is NaN
    "failed": "raise RuntimeError('wrong')",
    "ok": "return (student.image - student.text).square().sum(dim=1)",
}


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_what_failed_with_other_code_is_tried_again(status: str, authored: Authored, tmp_path: Path) -> None:
    spec = run_spec(objective=(term("own"),))
    authored.write(FAILING.format(body=BODIES[status]))
    before = execute(spec, authored.context(tmp_path))
    assert before.status == status, before.reason
    authored.write(FAILING.format(body=BODIES["ok"]))
    context = authored.context(tmp_path)
    found = session(context)
    assert found.pending([spec]) == [spec]
    after = execute_once(spec, context, redo=spec.run_id in found.redone)
    assert after.status == "ok", after.reason
    assert after.arrays_sha256 == fresh(spec, authored, tmp_path / "fresh").arrays_sha256


def test_a_run_that_diverged_with_the_same_code_is_told_and_redone_if_asked(tmp_path: Path, authored: Authored) -> None:
    authored.write("")
    spec = run_spec(student=plugged("toy", poisoned=True))
    assert execute(spec, authored.context(tmp_path)).status == "diverged"
    told = session(authored.context(tmp_path))
    assert told.pending([spec]) == []
    assert told.changes == []
    assert "1 run" in told.diverged[0]
    assert "--redo" in told.diverged[0]
    assert session(authored.context(tmp_path)).pending([spec], redo=True) == [spec]


DECODING = """
class Images(list):
    def __getitem__(self, place):
        image = super().__getitem__(place)
        {fails}
        return image if isinstance(place, slice) else np.clip(image.astype(int) + {more}, 0, 255).astype(np.uint8)

class Own(Beads):
    def __init__(self):
        super().__init__(train=200)

    def split(self, name):
        from dataclasses import replace
        found = super().split(name)
        return replace(found, images=Images(found.images))

@hookimpl
def kdbench_datasets():
    return [Offer("own", Own)]
"""


def test_images_that_broken_code_decoded_do_not_stay(authored: Authored, tmp_path: Path) -> None:
    """The author mends the error at image 300 and the colours: images 0 to 299 had the wrong ones."""
    spec = run_spec(dataset=plugged("own"))
    authored.write(DECODING.format(fails="if place == 300: raise ValueError('image 300')", more=0))
    assert execute(spec, authored.context(tmp_path)).status == "failed"
    authored.write(DECODING.format(fails="", more=30))
    after, expected = execute(spec, authored.context(tmp_path)), fresh(spec, authored, tmp_path / "fresh")
    assert after.status == "ok", after.reason
    assert after.dataset_digest == expected.dataset_digest
    assert after.arrays_sha256 == expected.arrays_sha256


def test_a_checkpoint_of_other_code_is_not_resumed(authored: Authored, tmp_path: Path) -> None:
    stopping = """
    class Own:
        def weigh(self, signal):
            if {stops} and signal.batch.progress >= 0.6:
                raise KeyboardInterrupt
            return torch.softmax({sign}signal.losses.mean(dim=1), dim=0)

    @hookimpl
    def kdbench_strategies():
        return [Offer("own", Own)]
    """
    spec = run_spec(strategy=plugged("own"))
    authored.write(stopping.format(stops=True, sign="-"))
    with pytest.raises(KeyboardInterrupt):
        execute(spec, authored.context(tmp_path))
    authored.write(stopping.format(stops=False, sign="+"))
    with pytest.warns(UserWarning, match="starts anew: strategy own: the code of"):
        after = execute(spec, authored.context(tmp_path))
    assert after.arrays_sha256 == fresh(spec, authored, tmp_path / "fresh").arrays_sha256


def test_two_edits_and_back(authored: Authored, tmp_path: Path) -> None:
    """What a cache hands out is always what the code of now gives, whatever was run before."""
    spec = run_spec((), student=plugged("own"))
    reader = (
        STUDENT.replace("return student", "student.images = Shifted(); return student")
        + """
class Shifted:
    modality, base, key = "image", None, "the same"

    def encode(self, items, device):
        return (torch.from_numpy(np.array(items)).float() + {shift}).clamp(0, 255).to(torch.uint8)
"""
    )
    expected: dict[int, str | None] = {}

    @settings(max_examples=6)
    @given(st.lists(st.sampled_from([0, 40, 90]), min_size=1, max_size=3))
    def holds(shifts: list[int]) -> None:
        for shift in shifts:
            authored.write(reader.format(sign="+", shift=shift))
            context = authored.context(tmp_path)
            found = execute(spec, context)
            assert found.status == "ok", found.reason
            if shift not in expected:
                expected[shift] = fresh(spec, authored, tmp_path / f"fresh{shift}").arrays_sha256
            assert found.arrays_sha256 == expected[shift]

    holds()
    assert len(set(expected.values())) == len(expected) > 1
    assert np.isfinite(len(expected))


def test_the_weights_of_a_run_are_those_of_its_own_code(authored: Authored, tmp_path: Path) -> None:
    """Also where both rank alike: a scale that changes no rank changes the exported model."""
    code = """
    from tests.support.toys import toy

    def build(*, width: int = 8):
        student = toy(width=width)
        student.module.register_buffer("mark", torch.tensor({mark}.0))
        return student

    @hookimpl
    def kdbench_students():
        return [Offer("own", build)]
    """
    spec = run_spec((), student=plugged("own"))
    kept = {}
    for mark in (1, 2):
        authored.write(code.format(mark=mark))
        context = authored.context(tmp_path)
        record = execute_once(spec, context, redo=True)
        kept[mark] = record
        module = trained_student(record, context.plugins, context.cache).module
        assert module.mark.item() == mark
    assert kept[1].arrays_sha256 == kept[2].arrays_sha256
    with pytest.warns(UserWarning, match="student own: the code of .* since it was trained"):
        trained_student(kept[1], context.plugins, context.cache)
