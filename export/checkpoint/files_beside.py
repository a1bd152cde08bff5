# SPDX-License-Identifier: Apache-2.0
"""Hyper-parameters in the files that Lightning writes beside a checkpoint: ``hparams.yaml`` and ``config.yaml``."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import yaml

from export.errors import CheckpointError
from export.strict_yaml import LONGEST_TEXT, load_yaml
from lsood_runtime.offline import one_line, read_plain, reason_of


def hyper_parameters_beside(path: Path, class_names: Collection[str]) -> tuple[Path, dict[str, object]] | None:
    """Read the hyper-parameters of a checkpoint that carries none.

    Looked at are the checkpoint's folder and, where that is named ``checkpoints``, the one above: ``hparams.yaml`` of the
    loggers before ``config.yaml`` of LightningCLI, of which the section ``model`` counts.

    Args:
        path: of the checkpoint.
        class_names: of the module and its bases: a ``config.yaml`` that names another class is none of its own.

    Returns:
        The file and its values; None where there are none.

    Raises:
        CheckpointError: a file holds Python objects, or is no YAML; or a pipe, a device or a folder has its name.
    """
    for file in _files(path):
        values = _read(file)
        if file.name == "config.yaml":
            values = _of_the_model(values, class_names)
        if isinstance(values, Mapping) and values:
            return file, {str(name): value for name, value in values.items()}
    return None


def _files(path: Path) -> Iterator[Path]:
    folders = [path.parent, path.parent.parent] if path.parent.name == "checkpoints" else [path.parent]
    for name in ("hparams.yaml", "config.yaml"):
        for folder in folders:
            if os.path.lexists(folder / name):  # what is no file is refused where it is read
                yield folder / name


def _read(file: Path) -> object:
    try:
        return load_yaml(read_plain(file, 4 * LONGEST_TEXT).decode(), tuples=True)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CheckpointError(
            f"expected hyper-parameters in plain YAML in {file}, got {one_line(reason_of(error))}: correct it, or move it "
            "away and give them by --model-arg"
        ) from error


def _of_the_model(values: object, class_names: Collection[str]) -> object:
    section = values.get("model") if isinstance(values, Mapping) else None
    if not isinstance(section, Mapping) or "class_path" not in section:
        return section
    if str(section["class_path"]).rpartition(".")[2] not in class_names:
        return None
    parts = [section.get("init_args") or {}, section.get("dict_kwargs") or {}]
    return {name: value for part in parts if isinstance(part, Mapping) for name, value in part.items()}
