# SPDX-License-Identifier: Apache-2.0
"""Load the network that a command's options name."""

from dataclasses import replace

from torch import nn

from export.checkpoint.live import live_checkpoint
from export.checkpoint.load import Checkpoint, load_checkpoint
from export.checkpoint.other_methods import with_method
from export.checkpoint.unwrapped import unwrapped
from export.errors import UsageError
from export.pipeline.network_options import NetworkOptions
from export.reporter import SILENT, Reporter


def load_network(options: NetworkOptions, reporter: Reporter = SILENT, network: nn.Module | None = None) -> Checkpoint:
    """Load the checkpoint of a network, which calls the method that the options name when it is called itself.

    Args:
        options: checkpoint, class, arguments and method.
        reporter: told what the weights were found to be.
        network: a live one in place of the checkpoint; it is copied and left as it is.

    Raises:
        CheckpointError: a checkpoint that cannot be read or does not fit the network.
        ConversionError: a network without such a method, or without one that takes one tensor.
        UsageError: ``--model`` is not of a known form, or there is a network in two places, or in none.
    """
    if network is not None:
        if options.ckpt is not None or options.model is not None or options.model_args:
            raise UsageError(
                "expected a checkpoint or a live network, got both: give ckpt=None, no model and no model_args"
            )
        checkpoint = live_checkpoint(network, reporter)
    elif options.ckpt is None:
        raise UsageError("expected a checkpoint, got none: give ckpt, or a live network by the argument network")
    else:
        checkpoint = load_checkpoint(
            options.ckpt,
            options.model,
            options.model_args,
            key=options.key,
            prefix=options.prefix,
            trust=options.trust_checkpoint,
            reporter=reporter,
        )
    inside, wrappers = unwrapped(checkpoint.network)
    reporter.found(*wrappers)
    unswitched = checkpoint.unswitched
    if unswitched is not None:
        build = unswitched.build
        unswitched = replace(unswitched, build=lambda: with_method(unwrapped(build())[0], options.method))
    return replace(checkpoint, network=with_method(inside, options.method), unswitched=unswitched)
