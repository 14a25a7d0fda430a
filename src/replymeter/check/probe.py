"""What listens on a port, found with plain sockets, once an exporter could not get through."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from replymeter.otlp import GRPC

if TYPE_CHECKING:
    from replymeter.check.sending import Target

NO_HOST, NOBODY, SILENT, TLS = "no host", "nobody", "silent", "TLS"
HTTP2, HTTP1, OTHER = "HTTP/2", "HTTP/1.1", "other"
OTHER_PROTOCOL = "no application protocol in common"

_ALPN = {HTTP2: "h2", HTTP1: "http/1.1"}
_HELLO = {
    # HTTP/2's preface with empty settings (RFC 9113, 3.4); an HTTP/1.1 server calls it bad.
    HTTP2: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
    HTTP1: b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
}
_SETTINGS = 4  # the type of the frame that a server of HTTP/2 sends first


def speaks(target: Target, seconds: float) -> str:
    """What the port speaks: one of the words above."""
    try:
        with socket.create_connection((target.host, target.port), seconds):
            pass
    except socket.gaierror:
        return NO_HOST
    except TimeoutError:
        return SILENT
    except OSError:
        return NOBODY
    if any(_tls(target, seconds, protocol) for protocol in _ALPN.values()):
        return TLS
    return _plain(target, seconds)


def tls_error(target: Target, seconds: float) -> str | None:
    """What is wrong with TLS and the certificates that the exporter uses; None: nothing."""
    wanted, other = (HTTP2, HTTP1) if target.protocol == GRPC else (HTTP1, HTTP2)
    try:
        context = ssl.create_default_context(cafile=target.ca)
        if target.client_certificate:
            context.load_cert_chain(target.client_certificate, target.client_key)
        heard = {_in_tls(target, context, protocol, seconds) for protocol in (wanted, other)}
    except ssl.SSLError as error:
        return getattr(error, "verify_message", None) or error.reason or str(error)
    except OSError as error:
        return str(error)
    if wanted in heard:
        return None
    return OTHER_PROTOCOL if other in heard else "it hung up after the handshake"


def _in_tls(target: Target, context: ssl.SSLContext, protocol: str, seconds: float) -> str:
    context.set_alpn_protocols([_ALPN[protocol]])
    with (
        socket.create_connection((target.host, target.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=target.host) as connection,
    ):
        connection.sendall(_HELLO[protocol])
        return _protocol(connection.recv(9))  # in TLS 1.3 a client is refused only here


def _tls(target: Target, seconds: float, protocol: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    with (
        suppress(OSError),
        socket.create_connection((target.host, target.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=target.host),
    ):
        return True
    return False


def _plain(target: Target, seconds: float) -> str:
    heard = OTHER
    for hello in _HELLO.values():  # some HTTP/1.1 servers answer the first one with no status
        try:
            with socket.create_connection((target.host, target.port), seconds) as connection:
                connection.sendall(hello)
                heard = _protocol(connection.recv(9))
        except TimeoutError:
            return SILENT
        except OSError:
            heard = OTHER
        if heard != OTHER:
            break
    return heard


def _protocol(heard: bytes) -> str:
    """What a server speaks whose answer begins so."""
    if heard.startswith(b"HTTP/1"):
        return HTTP1
    return HTTP2 if len(heard) > 3 and heard[3] == _SETTINGS else OTHER
