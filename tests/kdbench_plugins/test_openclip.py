"""What teacher and student share of open_clip. Versions that clash are real ones of a module that raises on import."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from kdbench import KdbenchError
from kdbench_plugins.openclip import brief, check_model_name, check_pretrained, hushed, import_open_clip, import_timm

NMS = "operator torchvision::nms does not exist"


def importing(folder: Path, module: str, error: str) -> subprocess.CompletedProcess[str]:
    """Imports open_clip or timm in a process of its own, where the module raises what torchvision raises."""
    (folder / f"{module}.py").write_text(f"raise RuntimeError({error!r})\n")
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "from kdbench import KdbenchError\n"
        "from kdbench_plugins import openclip\n"
        f"try: openclip.import_{module}()\n"
        "except KdbenchError as error: print('told:', error)\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", ["open_clip", "timm"])
def test_torch_and_torchvision_that_do_not_belong_together(tmp_path: Path, module: str) -> None:
    told = importing(tmp_path, module, NMS).stdout
    assert told.startswith("told:")
    for part in (module, version("torch"), version("torchvision"), NMS, "--force-reinstall torch torchvision"):
        assert part in told


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    done = importing(tmp_path, "open_clip", "out of cheese")
    assert "told:" not in done.stdout
    assert "RuntimeError: out of cheese" in done.stderr


def test_the_modules_are_imported() -> None:
    assert "RN50" in import_open_clip().list_models()
    assert import_timm().is_model("resnet18")


def test_model_names() -> None:
    for name in ("RN50", "ViT-B/32", "ViT-B-32", "hf-hub:some/where", "local-dir:here"):
        check_model_name(name)
    with pytest.raises(KdbenchError, match="no model 'VIT-B32'; did you mean 'ViT-B-32'"):
        check_model_name("VIT-B32")


def test_pretrained_is_a_tag_or_a_file(tmp_path: Path) -> None:
    for tag in ("openai", "laion400m_e32", "LAION400M-e32"):
        check_pretrained("ViT-B/32-quickgelu", tag)
    checkpoint = tmp_path / "weights.pt"
    checkpoint.touch()
    check_pretrained("RN50", str(checkpoint))
    with pytest.raises(KdbenchError, match="no such file and no such tag; did you mean 'laion400m_e32'"):
        check_pretrained("ViT-B-32", "laion400m_e23")
    with pytest.raises(KdbenchError, match="no published weights"):
        check_pretrained("ViT-S-32-alt", "openai")
    with pytest.raises(KdbenchError, match="brings its own weights"):
        check_pretrained("local-dir:here", "openai")


def mismatched() -> list[tuple[str, str]]:
    """Every model and tag of open_clip where the tag was trained with QuickGELU and the model has GELU."""
    open_clip = import_open_clip()
    return [
        (name, tag)
        for name, tag in open_clip.list_pretrained()
        if open_clip.get_pretrained_cfg(name, tag).get("quick_gelu", False)
        and not open_clip.get_model_config(name).get("quick_gelu", False)
    ]


def test_weights_of_another_activation_are_refused_with_the_name_of_the_model_that_fits() -> None:
    open_clip = import_open_clip()
    pairs = mismatched()
    assert ("RN50", "cc12m") in pairs
    assert ("ViT-B-32", "openai") in pairs
    assert len(pairs) >= 27
    for name, tag in pairs:
        with pytest.raises(KdbenchError, match="QuickGELU") as caught:
            check_pretrained(name, tag)
        fitting = str(caught.value).rpartition("write model: ")[2]
        assert fitting in open_clip.list_models(), (name, tag)
        check_pretrained(fitting, tag)  # what the message proposes passes


def test_all_other_published_weights_pass() -> None:
    wrong = set(mismatched())
    for name, tag in import_open_clip().list_pretrained():
        if (name, tag) not in wrong:
            check_pretrained(name, tag)


def test_errors_of_others_in_one_line() -> None:
    assert brief(ValueError("one\n\ttwo")) == "ValueError: one two"
    assert len(brief(ValueError("key " * 1000))) == 400


def test_hushed_is_over_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        with hushed():
            logging.error("not heard")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    logging.warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


PLUGINS = ("teachers.backbones", "teachers.openclip", "teachers.trained", "students.openclip")


def test_importing_plugins_is_cheap() -> None:
    heavy = ("torch", "torchvision", "numpy", "PIL", "timm", "open_clip", "transformers", "sentence_transformers")
    imports = "; ".join(f"import kdbench_plugins.{name}" for name in PLUGINS)
    code = f"import sys; {imports}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
