# SPDX-License-Identifier: Apache-2.0
"""What the commands of ``lsood`` do with files, as functions, for programs and notebooks; a vehicle needs none of them.

Importing this module loads numpy and ONNX Runtime alone; Pillow, PyAV and cryptography are loaded where a file needs them.

====================  ===============================================================================================
``lsood score``       :func:`score_files`
``lsood watch``       :func:`watch_files`
``lsood inspect``     :func:`verify_bundle`, or :func:`lsood_runtime.read_manifest` without a look at the files
``lsood selftest``    :meth:`lsood_runtime.OoDMonitor.self_test`
``lsood certify``     :func:`certify_provider`, :func:`worse_figures`
``lsood diff``        :func:`compare_bundles`
``lsood sign``        :func:`sign_bundle`
``lsood verify``      :func:`verify_bundle` with a key
``lsood triton``      :func:`write_triton_repository`
``lsood pack``        :func:`lsood_runtime.pack_bundle`
``lsood push``        :func:`lsood_runtime.push_bundle`, :func:`lsood_runtime.pull_bundle` for ``lsood pull``
``lsood select``      :class:`lsood_runtime.FrameSelector`
``lsood summary``     :func:`summarise_rows`, :func:`lsood_runtime.write_summaries`
====================  ===============================================================================================
"""

from lsood_runtime._bundle.reader import SealedManifest
from lsood_runtime._certificate.certificate import Certificate
from lsood_runtime._cli.compare import BundleComparison
from lsood_runtime._cli.triton import WrittenRepository
from lsood_runtime.functions._bundles import (
    certify_provider,
    compare_bundles,
    sign_bundle,
    verify_bundle,
    worse_figures,
    write_triton_repository,
)
from lsood_runtime.functions._scoring import score_files, summarise_rows, watch_files

__all__ = [
    "BundleComparison",
    "Certificate",
    "SealedManifest",
    "WrittenRepository",
    "certify_provider",
    "compare_bundles",
    "score_files",
    "sign_bundle",
    "summarise_rows",
    "verify_bundle",
    "watch_files",
    "worse_figures",
    "write_triton_repository",
]
