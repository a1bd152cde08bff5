# SPDX-License-Identifier: Apache-2.0
"""Normalisation by what a network's own library keeps: timm's ``pretrained_cfg`` and torchvision's weights."""

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType

from torch import nn

from export.checkpoint.chosen_output import whole_network
from export.pipeline.hyper_parameters import stated_normalisations
from export.pipeline.stated_preprocessing import StatedNormalisation
from lsood_runtime.offline import printable

_TIMM_NAMES = ("pretrained_cfg", "default_cfg")
_WEIGHTS = ("weights", "weights_backbone")
_OF_IMAGENET = ("torchvision", "timm", "segmentation_models_pytorch", "transformers")
"""Libraries whose published weights are, with few exceptions, of frames normalised as ImageNet's."""


def timm_normalisations(network: nn.Module) -> Iterator[StatedNormalisation]:
    """Yield mean and deviation of each of timm's networks within a network; the size of its pictures is not taken.

    Raises:
        UsageError: a constant is no number and no three of them.
    """
    for name, layer in network.named_modules():
        module = whole_network(layer)
        for attribute in _TIMM_NAMES:
            settings = getattr(module, attribute, None)
            settings = settings if isinstance(settings, Mapping) else getattr(settings, "__dict__", None)
            if not isinstance(settings, Mapping):
                continue
            constants = {key: settings.get(key) for key in ("mean", "std")}
            for stated in stated_normalisations(constants):
                place = f"{printable(name)}.{attribute}" if name else attribute
                yield StatedNormalisation(f"timm's {place}", stated.mean, stated.std, certain=False)
            break


def torchvision_normalisations(hyper_parameters: Mapping[str, object]) -> Iterator[StatedNormalisation]:
    """Yield mean and deviation by the transforms of torchvision's weights that hyper-parameters name.

    The weights are a member of one of its enumerations, or its name, such as ``DeepLabV3_ResNet50_Weights.DEFAULT``; nothing
    is downloaded for their transforms. A name is looked up where the network has imported torchvision.

    Raises:
        UsageError: a constant is no number and no three of them.
    """
    library = sys.modules.get("torchvision.models")
    for name in _WEIGHTS:
        weights = hyper_parameters.get(name)
        if isinstance(weights, str) and "_Weights." in weights and library is not None:
            weights = _member(library, weights)
        transforms = getattr(weights, "transforms", None)
        if not callable(transforms):
            continue
        prepared = transforms()
        constants = {key: getattr(prepared, key, None) for key in ("mean", "std")}
        for stated in stated_normalisations(constants):
            source = f"the transforms of torchvision's {printable(str(weights))}"
            yield StatedNormalisation(source, stated.mean, stated.std, certain=False)


def _member(library: ModuleType, name: str) -> object:
    """The weights of that name; None where there are none."""
    enumeration, member = name.split(".")[-2:]
    for module in (library, getattr(library, "segmentation", None)):
        if (found := getattr(getattr(module, enumeration, None), member, None)) is not None:
            return found
    return None


def imagenet_library(network: nn.Module) -> str | None:
    """Name of the library of the outermost part whose weights are usually of frames normalised as ImageNet's."""
    packages = (type(whole_network(module)).__module__.partition(".")[0] for module in nn.Module.modules(network))
    return next((name for name in packages if name in _OF_IMAGENET), None)
