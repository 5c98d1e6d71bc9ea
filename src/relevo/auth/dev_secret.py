"""The local development secret: signs session tokens while no issuer is configured, on loopback only."""

from pathlib import Path
from typing import Final

import jwt

from relevo.auth.secret_file import make_secret
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
    if not path.exists():
        make_secret(path)
    value = path.read_text(encoding="ascii").strip()
    if len(value) < _BYTES:
        raise ValueError(f"{path} holds no secret: delete it, and a new one is made")
    path.chmod(0o600)
    return Secret(value)


def has_development_secret(data_dir: Path) -> bool:
    """Whether this data directory has its secret already."""
    return (data_dir / _FILE).exists()


def sign(secret: Secret, subject: str, *, now_s: float, ttl_s: float) -> str:
    """A session token for `subject` that ends after `ttl_s` seconds."""
    claims = {"iss": ISSUER, "sub": subject, "iat": int(now_s), "exp": int(now_s + ttl_s)}
    return jwt.encode(claims, secret.reveal(), algorithm="HS256")
