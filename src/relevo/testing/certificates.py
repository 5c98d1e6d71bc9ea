"""Certificates made at run time, good and bad, for a scripted provider that is reached by TLS."""

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, get_args

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Tls = Literal["trusted", "expired", "wrong-host", "self-signed", "old", "stall"]
"""`trusted`: for localhost, by an authority that a test can trust; `old`: a server that knows no TLS above 1.1;
`stall`: the handshake is never answered; the others as they are called."""
TLS: Final[tuple[Tls, ...]] = get_args(Tls)

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a TLS server shows, and what a client must trust to believe it."""

    context: ssl.SSLContext
    ca_pem: str
    """The authority's certificate; for `self-signed` one that did not sign anything."""


def identity(kind: Tls, wall_s: float) -> Identity:
    """Make an authority and a server's certificate, valid or not at `wall_s` (seconds since 1970)."""
    now = datetime.fromtimestamp(wall_s, UTC)
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _name("relevo.testing authority")
    ca = _builder(issuer, authority.public_key(), now - _DAY, now + _DAY)
    ca_pem = _pem(_signed(ca.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True),
                          issuer, authority))  # fmt: skip
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("localhost")
    host = "elsewhere.invalid" if kind == "wrong-host" else "localhost"
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if kind != "wrong-host":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    end = now - _DAY if kind == "expired" else now + _DAY
    leaf = _builder(subject, key.public_key(), now - 2 * _DAY, end)
    leaf = leaf.add_extension(x509.SubjectAlternativeName(names), critical=False)
    alone = kind == "self-signed"
    certificate = _signed(leaf, subject if alone else issuer, key if alone else authority)
    return Identity(_context(_pem(certificate), key), ca_pem)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return builder.not_valid_before(begin).not_valid_after(end).add_extension(identifier, critical=False)


def _signed(
    builder: x509.CertificateBuilder, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = builder.issuer_name(issuer).serial_number(x509.random_serial_number())
    return builder.add_extension(by, critical=False).sign(key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _context(certificate_pem: str, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:  # ssl reads its chain from files only
        path = Path(folder) / "server.pem"
        path.touch(mode=0o600)
        path.write_text(key_pem.decode() + certificate_pem)
        context.load_cert_chain(path)
    return context
