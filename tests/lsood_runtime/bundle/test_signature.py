# SPDX-License-Identifier: Apache-2.0
"""A signed bundle loads with its public key, and no other does; the library of Model Signing agrees."""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography", reason="the extra signing is not installed")

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from lsood_runtime import BundleError, LsoodError, OoDMonitor
from lsood_runtime._bundle.bundle_files import open_files
from lsood_runtime._bundle.signature import sign_files, verified_signature
from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import edit_manifest, seal, toy_manifest
from tests.paths import FROZEN_BUNDLE
from tests.signing_keys import write_keys

CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


def digests_of(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "model.sig"
    }


def signed_in(folder: Path, public_key: Path) -> dict[str, str]:
    with open_files(folder) as files:
        return verified_signature(files, public_key).digests


@pytest.fixture
def signed(toy_bundle: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A signed bundle and the public key."""
    private, public = write_keys(tmp_path)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    return toy_bundle, public


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_signed_bundle_loads_with_its_key(toy_bundle: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    private, public = write_keys(tmp_path, curve=curve)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    assert run(["verify", str(toy_bundle), "--public-key", str(public)]) == 0
    assert signed_in(toy_bundle, public) == digests_of(toy_bundle)
    OoDMonitor(toy_bundle, public_key=public).close()
    OoDMonitor(toy_bundle).close()
    assert run(["selftest", str(toy_bundle), "--public-key", str(public)]) == 0
    assert run(["inspect", str(toy_bundle), "--public-key", str(public)]) == 0


def test_bundle_of_an_old_schema_can_be_signed(tmp_path: Path) -> None:
    folder, (private, public) = Path(shutil.copytree(FROZEN_BUNDLE, tmp_path / "monitor")), write_keys(tmp_path)
    assert run(["sign", str(folder), "--key", str(private)]) == 0
    OoDMonitor(folder, public_key=public).close()


def test_unsigned_bundle_is_refused_where_a_signature_is_asked_for(toy_bundle: Path, tmp_path: Path) -> None:
    _, public = write_keys(tmp_path)
    with pytest.raises(BundleError, match=r"expected a bundle with model\.sig, .* is not signed"):
        OoDMonitor(toy_bundle, public_key=public)


def test_bundle_that_someone_else_sealed_is_refused(signed: tuple[Path, Path], tmp_path: Path) -> None:
    bundle, public = signed
    other, _ = write_keys(tmp_path, "other")
    assert run(["sign", str(bundle), "--key", str(other)]) == 0
    with pytest.raises(BundleError, match="this bundle was signed by someone else, or changed"):
        OoDMonitor(bundle, public_key=public)
    assert run(["verify", str(bundle), "--public-key", str(public)]) == 2


def test_signed_bundle_changed_with_all_digests_made_anew_is_refused(signed: tuple[Path, Path]) -> None:
    bundle, public = signed
    edit_manifest(bundle, lambda manifest: manifest.update(operating_point="half"))
    OoDMonitor(bundle).close()
    with pytest.raises(BundleError, match=r"expected model\.sig to hold for manifest\.json as it is"):
        OoDMonitor(bundle, public_key=public)
    (bundle / "README.md").write_text("another card")
    signature = (bundle / "model.sig").read_bytes()
    (bundle / "model.sig").unlink()
    seal(bundle, toy_manifest())
    (bundle / "model.sig").write_bytes(signature)
    with pytest.raises(BundleError, match=r"expected model\.sig to hold for README\.md as it is"):
        OoDMonitor(bundle, public_key=public)


def test_signature_of_which_any_byte_of_the_signed_parts_is_changed_is_refused(signed: tuple[Path, Path]) -> None:
    bundle, public = signed
    whole = json.loads((bundle / "model.sig").read_text())
    payload = base64.b64decode(whole["dsseEnvelope"]["payload"])
    for place in range(0, len(payload), 7):
        changed = bytearray(payload)
        changed[place] ^= 1
        document = json.loads(json.dumps(whole))
        document["dsseEnvelope"]["payload"] = base64.b64encode(bytes(changed)).decode()
        (bundle / "model.sig").write_text(json.dumps(document))
        with pytest.raises(BundleError, match="signed by someone else, or changed"):
            signed_in(bundle, public)


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 10_000,
        b'{"mediaType": 3, "dsseEnvelope": {}}',
        b'{"dsseEnvelope": [], "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}',
        bytes(2**20 + 1),
    ],
)
def test_signature_file_that_is_none_is_refused(signed: tuple[Path, Path], contents: bytes) -> None:
    bundle, public = signed
    (bundle / "model.sig").write_bytes(contents)
    with pytest.raises(BundleError, match=r"model\.sig"):
        OoDMonitor(bundle, public_key=public)


def rewritten(bundle: Path, private: Path, change: Any) -> None:
    """Change what is signed, and sign it with the right key: only its form is wrong then."""
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    document = json.loads((bundle / "model.sig").read_text())
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    change(statement)
    payload, kind = json.dumps(statement).encode(), document["dsseEnvelope"]["payloadType"]
    encoded = b" ".join([b"DSSEv1", b"%d" % len(kind), kind.encode(), b"%d" % len(payload), payload])
    signature = key.sign(encoded, ec.ECDSA(hashes.SHA256()))
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    document["dsseEnvelope"]["signatures"] = [{"sig": base64.b64encode(signature).decode(), "keyid": ""}]
    (bundle / "model.sig").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda statement: statement.update(_type="https://in-toto.io/Statement/v2"),
        lambda statement: statement.update(predicateType="https://slsa.dev/provenance/v1"),
        lambda statement: statement["predicate"]["serialization"].update(method="shards"),
        lambda statement: statement["predicate"]["resources"].pop(),
        lambda statement: statement["predicate"]["resources"].append(statement["predicate"]["resources"][0]),
        lambda statement: statement["predicate"]["resources"][0].update(algorithm="blake2"),
        lambda statement: statement["predicate"]["resources"][0].pop("digest"),
        lambda statement: statement.update(predicate=None),
    ],
)
def test_signature_with_the_right_key_of_another_form_is_refused(toy_bundle: Path, tmp_path: Path, change: Any) -> None:
    private, public = write_keys(tmp_path)
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 0
    rewritten(toy_bundle, private, dict)
    OoDMonitor(toy_bundle, public_key=public).close()
    rewritten(toy_bundle, private, change)
    with pytest.raises(BundleError, match=r"model\.sig"):
        OoDMonitor(toy_bundle, public_key=public)


def test_damaged_bundle_is_never_signed(toy_bundle: Path, tmp_path: Path) -> None:
    private, _ = write_keys(tmp_path)
    (toy_bundle / "detector.onnx").write_bytes(b"damaged")
    assert run(["sign", str(toy_bundle), "--key", str(private)]) == 2
    assert not (toy_bundle / "model.sig").exists()


def test_files_without_a_key_that_fits_are_refused(toy_bundle: Path, tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    (tmp_path / "text.pem").write_text("no key")
    other = ed25519.Ed25519PrivateKey.generate()
    pkcs8, info = serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo
    pem, secret = serialization.Encoding.PEM, serialization.BestAvailableEncryption(b"secret")
    (tmp_path / "ed.pem").write_bytes(other.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    (tmp_path / "ed.pub.pem").write_bytes(other.public_key().public_bytes(pem, info))
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, secret)
    (tmp_path / "locked.pem").write_bytes(locked)
    old_curve, _ = write_keys(tmp_path, "old", ec.SECP256K1())
    for wrong in ("text.pem", "ed.pem", "locked.pem", old_curve.name, public.name, "nowhere.pem"):
        with pytest.raises(LsoodError, match=wrong.replace(".", r"\.")):
            sign_files("monitor", {}, tmp_path / wrong)
    (toy_bundle / "model.sig").write_bytes(sign_files("monitor", digests_of(toy_bundle), private))
    for wrong in ("text.pem", "ed.pub.pem", "old.pub.pem", private.name, "nowhere.pem"):
        with pytest.raises(LsoodError, match=wrong.replace(".", r"\.")):
            OoDMonitor(toy_bundle, public_key=tmp_path / wrong)


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("nowhere.pem", "got no file at "),
        ("folder", "got a folder at "),
        ("large.pem", "got 1,048,577 bytes at "),
        ("empty.pem", "to hold an elliptic public key of P-256, P-384 or P-521 in PEM, got an empty file: "),
        ("text.pem", "got no PEM: "),
        ("broken.pem", "got a public key that is damaged: "),
        ("key.pem", "got a private key, which stays where bundles are signed: "),
        ("ed.pub.pem", "got a key that is not elliptic: "),
        ("old.pub.pem", "got one of the curve secp256k1: "),
        ("certificate.pem", "got a PEM of certificate: "),
    ],
)
def test_public_key_that_is_none_is_told_in_one_line_with_the_way_to_a_right_one(
    signed: tuple[Path, Path], name: str, got: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, _ = signed
    write_keys(tmp_path, "old", ec.SECP256K1())
    (tmp_path / "folder").mkdir()
    pem, info = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    other = ed25519.Ed25519PrivateKey.generate().public_key()
    contents = {
        "large.pem": bytes(2**20 + 1),
        "empty.pem": b"",
        "text.pem": b"no key",
        "broken.pem": b"-----BEGIN PUBLIC KEY-----\nzzzz\n-----END PUBLIC KEY-----\n",
        "certificate.pem": b"-----BEGIN CERTIFICATE-----\nzzzz\n-----END CERTIFICATE-----\n",
        "key.pem": next(path for path in tmp_path.glob("*.pem") if b"PRIVATE" in path.read_bytes()).read_bytes(),
        "ed.pub.pem": other.public_bytes(pem, info),
    }
    if name in contents:
        (tmp_path / name).write_bytes(contents[name])
    capsys.readouterr()
    for command in (["verify"], ["inspect"], ["selftest"]):
        assert run([*command, str(bundle), "--public-key", str(tmp_path / name)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("lsood: error: expected ")
        assert got in line
        assert str(tmp_path / name) in line
        assert line.endswith("which `openssl ec -in key.pem -pubout -out public.pem` writes")


PASSWORD = "sésame, open"


@pytest.fixture
def locked(tmp_path: Path) -> tuple[Path, Path]:
    """A private key with a password, and its public one."""
    private, public = write_keys(tmp_path)
    key = serialization.load_pem_private_key(private.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(PASSWORD.encode())
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    return private, public


@pytest.mark.parametrize("given", ["file", "environment", "terminal"])
@pytest.mark.parametrize("right", [True, False])
def test_sign_with_an_encrypted_key_takes_its_password_from(
    toy_bundle: Path,
    locked: tuple[Path, Path],
    given: str,
    right: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, public = locked
    password, words = PASSWORD if right else "wrong", ["sign", str(toy_bundle), "--key", str(private)]
    monkeypatch.delenv("LSOOD_KEY_PASSWORD", raising=False)
    if given == "file":
        (tmp_path / "password").write_text(f"{password}\nmore\n")
        words += ["--password-file", str(tmp_path / "password")]
    elif given == "environment":
        monkeypatch.setenv("LSOOD_KEY_PASSWORD", password)
    else:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda prompt: password if str(private) in prompt else "")
    assert run(words) == (0 if right else 2)
    assert (toy_bundle / "model.sig").exists() == right
    if right:
        OoDMonitor(toy_bundle, public_key=public).close()


def test_sign_with_an_encrypted_key_and_nobody_to_ask_names_the_ways(
    toy_bundle: Path, locked: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LSOOD_KEY_PASSWORD", raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert run(["sign", str(toy_bundle), "--key", str(locked[0])]) == 2
    assert "got none: give --password-file, or set LSOOD_KEY_PASSWORD" in capsys.readouterr().err


def test_sign_and_verify_count_the_same_files(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public = write_keys(tmp_path)
    run(["sign", str(toy_bundle), "--key", str(private)])
    run(["verify", str(toy_bundle), "--public-key", str(public)])
    signed, verified = capsys.readouterr().out.splitlines()
    count = len(digests_of(toy_bundle))
    assert signed.startswith(f"signed {count} files of ")
    assert f": {count} files, manifest" in verified


def test_bundle_without_a_signature_to_check_loads_without_the_package(signed: tuple[Path, Path]) -> None:
    bundle, public = signed
    script = "import sys; from lsood_runtime import OoDMonitor; OoDMonitor(sys.argv[1], public_key={}).close()"
    for key, is_there in ((None, False), (str(public), True)):
        words = f"{script.format(repr(key))}; print('cryptography' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", words, str(bundle)], capture_output=True, text=True, check=True)
        assert done.stdout == f"{is_there}\n"


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ("{}", "got no field 'dsseEnvelope': sign"),
        ("[]", "got a value of another kind: sign"),
        ("[" * 10_000, "got "),
    ],
)
def test_signature_file_that_is_none_is_described_without_names_of_exceptions(
    signed: tuple[Path, Path], contents: str, reason: str
) -> None:
    bundle, public = signed
    (bundle / "model.sig").write_text(contents)
    with pytest.raises(BundleError) as caught:
        OoDMonitor(bundle, public_key=public)
    assert reason in str(caught.value)
    assert "Error" not in str(caught.value)


def test_signature_without_its_package_names_the_extra(
    signed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, public = signed
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(LsoodError, match="with its extra signing"):
        OoDMonitor(bundle, public_key=public)
    OoDMonitor(bundle).close()


SIGNED_BY_THE_LIBRARY = Path(__file__).parent / "signed_by_model_signing"
"""A public key, and a signature over two small files, made by model-signing 1.1.1."""


def test_signature_of_the_library_is_verified(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SIGNED_BY_THE_LIBRARY / "model", tmp_path / "model"))
    assert signed_in(folder, SIGNED_BY_THE_LIBRARY / "public.pem") == digests_of(folder)
    _, other = write_keys(tmp_path)
    with pytest.raises(BundleError, match="signed by someone else"):
        signed_in(folder, other)


def test_signature_of_ours_is_verified_by_the_library(signed: tuple[Path, Path]) -> None:
    model_signing = pytest.importorskip("model_signing", reason="model-signing is not installed")
    bundle, public = signed
    verify = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public).verify
    verify(bundle, bundle / "model.sig")
    (bundle / "README.md").write_text("another card")
    with pytest.raises(ValueError, match="Signature mismatch"):
        verify(bundle, bundle / "model.sig")
