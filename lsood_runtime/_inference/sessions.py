# SPDX-License-Identifier: Apache-2.0
"""Set up sessions of ONNX Runtime."""

import os

import onnxruntime as ort

from lsood_runtime._ort_version import release

BATCH = "batch"
"""Name of the free first dimension of every input and output of the exported graphs."""


INTEGER_KERNELS = (1, 27)
"""The first release whose integer kernels are used: older ones interpolate bytes in a bilinear Resize and cut off what is
behind the point, half a step too little on average, and have no kernel at all for a bicubic one."""

_FAULTY_OPTIMIZERS = {
    "MatmulTransposeFusion": (1, 26),  # fuses products in float64 into an operator for which there is no kernel
    "QDQSelectorActionTransformer": INTEGER_KERNELS,
}
"""What is switched off before the release in which it was mended."""


def session_options(
    threads: int | None = None, batch: int | None = None, *, weights_folder: str = os.devnull
) -> ort.SessionOptions:
    """Make the options of every session of a monitor; a session that is timed against a monitor should have them too.

    Args:
        threads: threads of the CPU provider within an operator; None for one a core.
        batch: frames of every run, which lets arithmetic on shapes be folded away; None leaves it free.
        weights_folder: where files lie that the graph itself names; nowhere for a bundle's graph, which would escape the
            bundle's digests by them.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong comes as an exception
    options.intra_op_num_threads = threads or 0
    # Idle threads that spin take the cores from the other session, and from the rest of the vehicle's stack.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", weights_folder)
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    faulty = [name for name, mended in _FAULTY_OPTIMIZERS.items() if release(ort.__version__) < mended]
    if faulty:
        options.add_session_config_entry("optimization.disable_specified_optimizers", ";".join(faulty))
    if batch is not None:
        options.add_free_dimension_override_by_name(BATCH, batch)
    return options
