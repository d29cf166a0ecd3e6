"""TLS: the gateway's side of it, and what a client's certificate says.

Owns the context that connections are taken in with. Clients are told apart by the names in their
certificates: the subject's common name and its DNS names. Must not know sockets or protocols.
"""

from __future__ import annotations

import ssl
from asyncio import BaseTransport
from pathlib import Path

from portcullis.gateway.config_schema import Tls

_VERIFY = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


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
    try:
        context.load_cert_chain(folder / settings.certificate, folder / settings.key, _no_password)
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"keys certificate, key: {_reason(error)}") from None
    if settings.client_certificates != "none":
        if settings.client_ca is None:
            raise ValueError("key client_ca: expected, for client_certificates are asked for")
        try:
            context.load_verify_locations(folder / settings.client_ca)
        except OSError as error:
            raise ValueError(f"key client_ca: {_reason(error)}") from None
        context.verify_mode = _VERIFY[settings.client_certificates]
    return context


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


def _no_password() -> str:
    """Called where the key is encrypted: nobody is there to be asked."""
    raise ssl.SSLError("the key is encrypted; expected one that is not")


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
