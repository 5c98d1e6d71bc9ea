"""The local development secret: signs session tokens while no issuer is configured, on loopback only."""

import contextlib
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
    if not path.exists():
        _make(path)
    value = path.read_text(encoding="ascii").strip()
    if len(value) < _BYTES:
        raise ValueError(f"{path} holds no secret: delete it, and a new one is made")
    path.chmod(0o600)
    return Secret(value)


def has_development_secret(data_dir: Path) -> bool:
    """Whether this data directory has its secret already."""
    return (data_dir / _FILE).exists()


def _make(path: Path) -> None:
    """Put a new secret in place whole: whoever comes second finds the first one's, never half of one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_BYTES) + "\n")
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def sign(secret: Secret, subject: str, *, now_s: float, ttl_s: float) -> str:
    """A session token for `subject` that ends after `ttl_s` seconds."""
    claims = {"iss": ISSUER, "sub": subject, "iat": int(now_s), "exp": int(now_s + ttl_s)}
    return jwt.encode(claims, secret.reveal(), algorithm="HS256")
