"""TLS: the gateway's side of it, and what a client's certificate says.

Owns the context that connections are taken in with. Clients are told apart by the names in their
certificates: the subject's common name and its DNS names. Must not know sockets or protocols.
"""

from __future__ import annotations

import re
import ssl
from asyncio import BaseTransport, CancelledError
from pathlib import Path

from portcullis.gateway.config_schema import Tls

_VERIFY = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}
_CERTIFICATE = re.compile(b"-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----")
_KEY = re.compile(b"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----")
# OpenSSL's codes for what clients do wrong; others are told as they are.
_REASONS = {
    "WRONG_VERSION_NUMBER": "what it sent is not TLS",
    "HTTP_REQUEST": "it speaks HTTP, not TLS",
    "UNSUPPORTED_PROTOCOL": "it speaks no TLS from 1.2 on",
    "NO_SHARED_CIPHER": "it knows no cipher of ours",
    "UNEXPECTED_EOF_WHILE_READING": "it hung up",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "CERTIFICATE_VERIFY_FAILED": "its certificate has expired or is not from client_ca",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust our certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not trust our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not trust our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired, it says",
}
# The two ways that PEM says it.
_ENCRYPTED = re.compile(b"-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED")


def server_context(settings: Tls, folder: Path) -> ssl.SSLContext:
    """TLS 1.2 and newer, with the certificates that `settings` name. ValueError says what fails.

    folder: where relative paths begin.
    """
    if settings.certificate is None or settings.key is None:
        raise ValueError("key certificate: expected with key, for [listen] fix_tls is set")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A renegotiation costs us much and a client little, and no client of ours needs one.
    context.options |= ssl.OP_NO_RENEGOTIATION
    certificate, key = folder / settings.certificate, folder / settings.key
    _expect_pem("certificate", certificate, _CERTIFICATE)
    if _ENCRYPTED.search(_expect_pem("key", key, _KEY)):
        raise ValueError(f"key key: {key} is encrypted: expected a private key without a password")
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"key key: {key} is not the key of {certificate}") from None
        raise ValueError(
            f"keys certificate, key: {certificate}, {key}: expected a certificate and its private"
            " key, and one of them cannot be read as that"
        ) from None
    if settings.client_certificates != "none":
        if settings.client_ca is None:
            raise ValueError("key client_ca: expected, for client_certificates are asked for")
        client_ca = folder / settings.client_ca
        _expect_pem("client_ca", client_ca, _CERTIFICATE)
        try:
            context.load_verify_locations(client_ca)
        except ssl.SSLError:
            raise ValueError(
                f"key client_ca: {client_ca}: expected certificates, and one cannot be read"
            ) from None
        context.verify_mode = _VERIFY[settings.client_certificates]
    return context


def why_failed(error: BaseException) -> str:
    """Why a handshake failed, in words."""
    code = getattr(error, "reason", None)
    if isinstance(error, TimeoutError):
        return "it did not end in time"
    if isinstance(error, CancelledError):
        return "the gateway is stopping"
    if not isinstance(code, str):
        return "it hung up"
    return _REASONS.get(code) or code.replace("_", " ").lower()


def names_shown(transport: BaseTransport) -> frozenset[str] | None:
    """The names of the client's certificate, none where it showed none; None: no TLS."""
    if transport.get_extra_info("ssl_object") is None:
        return None
    certificate = transport.get_extra_info("peercert") or {}
    names = [
        value
        for part in certificate.get("subject", ())
        for name, value in part
        if name == "commonName"
    ]
    names += [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return frozenset(names)


def _expect_pem(name: str, path: Path, kind: re.Pattern[bytes]) -> bytes:
    """What a file holds that has to have such a part. ValueError names key, file and part."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ValueError(f"key {name}: {path}: {error.strerror}") from None
    if not kind.search(octets):
        expected = "certificate" if kind is _CERTIFICATE else "private key"
        raise ValueError(f"key {name}: {path}: expected a {expected} in PEM form")
    return octets
