# SPDX-License-Identifier: Apache-2.0
"""Signatures cross between this package and the library of OpenSSF Model Signing, in an environment of its own."""

import subprocess
import venv
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="the extra signing is not installed")

from cryptography.hazmat.primitives.asymmetric import ec

from lsood_runtime import BundleError, OoDMonitor
from lsood_runtime._cli.main import run
from tests.signing_keys import write_keys

pytestmark = pytest.mark.slow

_SIGN = """
import sys
from model_signing import hashing, signing
bundle, private = sys.argv[1:]
files = hashing.Config().use_file_serialization(hashing_algorithm="sha256").set_ignored_paths(paths=[bundle + "/model.sig"])
signing.Config().set_hashing_config(files).use_elliptic_key_signer(private_key=private).sign(bundle, bundle + "/model.sig")
"""
_VERIFY = """
import sys
from model_signing import verifying
bundle, public = sys.argv[1:]
try:
    verifying.Config().use_elliptic_key_verifier(public_key=public).verify(bundle, bundle + "/model.sig")
except ValueError as error:
    print("refused:", error)
else:
    print("verified")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the newest model-signing; skipped where no index of packages is reached."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "model-signing", "pyOpenSSL"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"model-signing cannot be installed: {done.stderr[-200:]}")
    return python


def said(library: Path, script: str, *words: Path) -> str:
    return subprocess.run([library, "-c", script, *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_signature_of_one_side_is_verified_by_the_other_and_a_changed_bundle_refused(
    library: Path, toy_bundle: Path, tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    private, public = write_keys(tmp_path, curve=curve)
    _, stranger = write_keys(tmp_path, "stranger", curve=curve)
    said(library, _SIGN, toy_bundle, private)
    OoDMonitor(toy_bundle, public_key=public).close()
    with pytest.raises(BundleError, match="signed by someone else"):
        OoDMonitor(toy_bundle, public_key=stranger)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    assert said(library, _VERIFY, toy_bundle, public) == "verified\n"
    assert said(library, _VERIFY, toy_bundle, stranger).startswith("refused: ")
    (toy_bundle / "README.md").write_text("another card")
    assert said(library, _VERIFY, toy_bundle, public).startswith("refused: ")
