# SPDX-License-Identifier: Apache-2.0
"""Sign a bundle with a private key and verify its signature, in the format of OpenSSF Model Signing (version 1.0).

The file :data:`SIGNATURE_FILE` is a Sigstore bundle with a DSSE envelope, whose payload is an in-toto statement with the
SHA-256 digest of every other file of the folder. The library "model-signing" verifies what is signed here, and signatures
that it makes with a key are verified here; it is not used itself, since it takes longer to import than a bundle to load.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsood_runtime._bundle.bundle_files import BundleFiles
from lsood_runtime._bundle.files import SIGNATURE_FILE
from lsood_runtime._bundle.key_files import KeyKind, no_key, other_key, read_key_file
from lsood_runtime._exceptions import BundleError, missing_extra, one_line
from lsood_runtime._text.json_values import parse_json

LARGEST_SIGNATURE = 2**20
"""Bytes of a signature, at most."""

_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_HASHES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}


def sign_files(
    name: str, digests: Mapping[str, str], private_key: Path, ask_password: Callable[[], bytes] | None = None
) -> bytes:
    """Sign the files of a folder.

    Args:
        name: of the folder, which the signature names.
        digests: SHA-256 in hex of every file, by name.
        private_key: PEM file with an elliptic key of P-256, P-384 or P-521.
        ask_password: gives the password of a key that is encrypted; None refuses such keys.

    Returns:
        The contents of :data:`SIGNATURE_FILE`.

    Raises:
        BundleError: the file holds no such key, or the password is another one.
        MissingPackageError: the extra ``signing`` is not installed.
    """
    ec, _ = _cryptography()
    key = _private_key(private_key, ask_password)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _HASHES:
        raise other_key(private_key, KeyKind.PRIVATE, _kind_of(key))
    resources = [{"algorithm": "sha256", "digest": digests[name], "name": name} for name in sorted(digests)]
    statement = {
        "_type": _STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": _root(resources)}}],
        "predicateType": _PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [SIGNATURE_FILE],
            },
            "resources": resources,
        },
    }
    payload = json.dumps(statement).encode()
    signature = key.sign(_encoded(payload), ec.ECDSA(_hash_of(key)))
    bundle = {
        "mediaType": _MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": _PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """A signature of the key that was asked for.

    Attributes:
        contents: bytes of :data:`SIGNATURE_FILE`, as they were verified.
        digests: SHA-256 in hex of every file, by name.
    """

    contents: bytes
    digests: dict[str, str]


def verified_signature(files: BundleFiles, public_key: Path) -> VerifiedSignature:
    """Read the signature of a bundle once, and verify it.

    Args:
        files: of the bundle.
        public_key: PEM file of the key that must have signed.

    Raises:
        BundleError: no signature, one of another key, one that was changed, or a file that holds no key.
        MissingPackageError: the extra ``signing`` is not installed.
    """
    ec, serialization = _cryptography()
    from cryptography.exceptions import InvalidSignature

    contents = read_key_file(public_key, KeyKind.PUBLIC)
    try:
        key = serialization.load_pem_public_key(contents)
    except (ValueError, TypeError) as error:
        raise no_key(public_key, KeyKind.PUBLIC, contents) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise other_key(public_key, KeyKind.PUBLIC, _kind_of(key))
    if not files.holds(SIGNATURE_FILE):
        raise BundleError(
            f"expected a bundle with {SIGNATURE_FILE}, {files.place} is not signed: sign it by `lsood sign {files.place} "
            "--key key.pem`"
        )
    stated = files.read(SIGNATURE_FILE, LARGEST_SIGNATURE)
    try:
        envelope = _envelope(parse_json(stated))
        payload, signature = (base64.b64decode(text, validate=True) for text in envelope)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise _no_signature(error) from error
    try:
        key.verify(signature, _encoded(payload), ec.ECDSA(_hash_of(key)))
    except InvalidSignature as error:
        raise BundleError(
            f"expected {SIGNATURE_FILE} to be signed with the key of {public_key}, it is not: this bundle was signed by "
            "someone else, or changed; install the one that was approved, or give the public key of its signer"
        ) from error
    try:
        return VerifiedSignature(stated, _digests(parse_json(payload)))
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise _no_signature(error) from error


def check_signed(signed: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Compare what was signed with the files of a bundle.

    Args:
        signed: digests that a signature states.
        files: digests of all files by name.

    Raises:
        BundleError: a file was not signed, has another digest, or is not there.
    """
    for name in sorted(files.keys() | signed.keys()):
        if signed.get(name) != files.get(name):
            raise BundleError(
                f"expected {SIGNATURE_FILE} to hold for {name} as it is, it does not: the bundle was changed after it was "
                "signed; sign it again, or install the one that was approved"
            )


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise missing_extra("a signature", "signing") from error
    return ec, serialization


def _private_key(path: Path, ask_password: Callable[[], bytes] | None) -> Any:
    _, serialization = _cryptography()
    contents = read_key_file(path, KeyKind.PRIVATE)
    try:
        return serialization.load_pem_private_key(contents, None)
    except TypeError as error:  # it is encrypted
        if ask_password is None:
            raise other_key(path, KeyKind.PRIVATE, "one with a password") from error
    except ValueError as error:
        raise no_key(path, KeyKind.PRIVATE, contents) from error
    try:
        return serialization.load_pem_private_key(contents, ask_password())
    except (ValueError, TypeError) as error:
        raise BundleError(f"expected the password of the key in {path}, got another one: correct it") from error


def _hash_of(key: Any) -> Any:
    from cryptography.hazmat.primitives import hashes

    return getattr(hashes, _HASHES[key.curve.name])()


def _hint(public_key: Any) -> str:
    """Digest of a public key, by which a signature names it."""
    _, serialization = _cryptography()
    pem = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(pem).hexdigest()


def _encoded(payload: bytes) -> bytes:
    """The bytes that are signed: DSSE's pre-authentication encoding of a payload."""
    return f"DSSEv1 {len(_PAYLOAD_TYPE)} {_PAYLOAD_TYPE} {len(payload)} ".encode() + payload


def _root(resources: list[dict[str, str]]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(each["digest"]) for each in resources)).hexdigest()


def _envelope(bundle: Any) -> tuple[str, str]:
    """Payload and signature of a Sigstore bundle, in Base64."""
    envelope = bundle["dsseEnvelope"]
    if bundle["mediaType"] != _MEDIA_TYPE or envelope["payloadType"] != _PAYLOAD_TYPE:
        raise ValueError("another media type")
    (signature,) = envelope["signatures"]
    return str(envelope["payload"]), str(signature["sig"])


def _digests(statement: Any) -> dict[str, str]:
    """Digests of an in-toto statement of Model Signing."""
    predicate = statement["predicate"]
    if statement["_type"] != _STATEMENT_TYPE or statement["predicateType"] != _PREDICATE_TYPE:
        raise ValueError("another statement")
    if predicate["serialization"]["method"] != "files" or predicate["serialization"]["hash_type"] != "sha256":
        raise ValueError("another serialization than whole files with sha256")
    digests: dict[str, str] = {}
    for resource in predicate["resources"]:
        name, digest = resource["name"], resource["digest"]
        if resource["algorithm"] != "sha256" or name in digests:
            raise ValueError(f"another algorithm, or the file {name!r} twice")
        digests[str(name)] = str(digest)
    return digests


def _kind_of(key: Any) -> str:
    """What a key is that does not sign bundles."""
    return f"one of the curve {key.curve.name}" if hasattr(key, "curve") else "a key that is not elliptic"


def _no_signature(error: Exception) -> BundleError:
    reasons = {KeyError: f"no field {error}", TypeError: "a value of another kind", RecursionError: "lists without end"}
    reason = next((words for kind, words in reasons.items() if isinstance(error, kind)), one_line(error))
    return BundleError(
        f"expected {SIGNATURE_FILE} to be a signature of Model Signing, got {reason}: sign the bundle again"
    )
