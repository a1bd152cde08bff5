# SPDX-License-Identifier: Apache-2.0
"""What a certificate says of the machine that it was made on, and of the arithmetic of a provider."""

import os
import platform
import resource
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from lsood_runtime._certificate.certificate import Machine, Versions
from lsood_runtime._inference.providers import CUDA, TENSORRT, ResolvedProvider
from lsood_runtime._text.printable import printable
from lsood_runtime._version import __version__

_OFF = ("0", "false")
_ON = ("1", "true")


def versions() -> Versions:
    """Versions of what computes."""
    return Versions(__version__, str(ort.__version__), np.__version__, platform.python_version())


def describe_machine() -> Machine:
    """Processor, cores that this process may use, system, and the devices that ONNX Runtime lists."""
    return Machine(
        processor=printable(_processor()),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        system=printable(f"{platform.system()} {platform.release()} {platform.machine()}"),
        devices=tuple(
            printable(f"{device.ep_name}: {device.device.type.name} {device.ep_vendor}")
            for device in ort.get_ep_devices()
        ),
    )


def peak_memory_mb() -> float:
    """Most host memory that this process has had so far, megabytes; a device's own memory is not counted."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1e6 if sys.platform == "darwin" else 1e3)


def arithmetic(precision: str, provider: ResolvedProvider) -> str:
    """In what numbers a network of this precision computes on a provider, as far as its options tell.

    NVIDIA's providers round the factors of float32 products to TF32 where they are not told otherwise.
    """
    name, options = provider
    values = {key: str(value).lower() for key, value in options.items()}
    words = [precision]
    if name == CUDA and precision == "fp32":
        words = ["fp32 with TF32 off" if values.get("use_tf32") in _OFF else "fp32 with TF32"]
    if name == TENSORRT:
        words = ["fp32 with TF32"] if precision == "fp32" else words
        words += [kind for kind in ("fp16", "bf16", "int8") if values.get(f"trt_{kind}_enable") in _ON]
    if "precision" in values:  # of OpenVINO
        words.append(f"precision {options['precision']}")
    return ", ".join(words)


def _processor() -> str:
    """Name of the processor, as Linux or Python tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
