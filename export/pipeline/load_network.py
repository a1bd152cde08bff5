# SPDX-License-Identifier: Apache-2.0
"""Load the network that a command's options name."""

from dataclasses import replace

from export.checkpoint.load import Checkpoint, load_checkpoint
from export.checkpoint.other_methods import with_method
from export.pipeline.network_options import NetworkOptions
from export.reporter import SILENT, Reporter


def load_network(options: NetworkOptions, reporter: Reporter = SILENT) -> Checkpoint:
    """Load the checkpoint of a network, which calls the method that the options name when it is called itself.

    Args:
        options: checkpoint, class, arguments and method.
        reporter: told what the weights were found to be.

    Raises:
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        ConversionError: a network without such a method, or without one that takes one tensor.
        UsageError: ``--model`` is not of a known form.
    """
    checkpoint = load_checkpoint(
        options.ckpt,
        options.model,
        options.model_args,
        key=options.key,
        prefix=options.prefix,
        trust=options.trust_checkpoint,
        reporter=reporter,
    )
    return replace(checkpoint, network=with_method(checkpoint.network, options.method))
