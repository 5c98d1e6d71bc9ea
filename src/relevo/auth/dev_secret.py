"""The local development secret: signs session tokens while no issuer is configured, on loopback only."""

import os
import secrets
from pathlib import Path
from typing import Final

import jwt

from relevo.core.secret import Secret

ISSUER: Final = "relevo-local"
"""The `iss` of development tokens."""
ROW: Final = "local"
"""Name of the issuer row that stands for the development secret."""
_FILE: Final = "relevo-dev.secret"
_BYTES: Final = 32


def development_secret(data_dir: Path) -> Secret:
    """The secret of this data directory, made on first use. The file is readable by its owner only."""
    path = data_dir / _FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        value = path.read_text(encoding="ascii").strip()
        if len(value) < _BYTES:
            raise ValueError(f"{path} holds no secret: delete it, and a new one is made") from None
        return Secret(value)
    value = secrets.token_urlsafe(_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(value + "\n")
    return Secret(value)


def sign(secret: Secret, subject: str, *, now_s: float, ttl_s: float) -> str:
    """A session token for `subject` that ends after `ttl_s` seconds."""
    claims = {"iss": ISSUER, "sub": subject, "iat": int(now_s), "exp": int(now_s + ttl_s)}
    return jwt.encode(claims, secret.reveal(), algorithm="HS256")
