"""The rows of who may call, as the verifier reads them: all that is believed of a token comes from its row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relevo.core.secret import Secret

HMAC: Final = ("HS256",)
"""The algorithm of rows with a shared secret."""
PUBLIC_KEY: Final = ("RS256", "ES256", "EdDSA")
"""The algorithms of rows with published keys. Each key fixes its own; a shared secret is never among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What holds for every token of one platform. The defaults are those of an issuer of no known platform."""

    algorithms: tuple[str, ...] = PUBLIC_KEY
    """What its published keys may be for."""
    jwks_url: str | None = None
    """Where its keys are. None: at the issuer's own `/.well-known/jwks.json`."""
    audience: str | None = None
    """The `aud` where the row names none."""
    extra_audiences: bool = False
    """Whether `aud` may list others beside the row's."""
    required_claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims with their values; another value is a 403."""
    refused_claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims that a token must not have with this value: a 403."""
    user_claims: tuple[str, ...] = ()
    """Claims that the token of a user has, whatever their values. A machine's need not."""
    api_key_roles: frozenset[str] = frozenset()
    """`role` of API keys that are tokens themselves: 403 whatever their issuer, for they are no user's."""
    past_claims: tuple[str, ...] = ()
    """Claims that are times, and must lie in the past."""
    anonymous: tuple[str, ...] = ()
    """Path of the claim that tells a user who has not signed up."""
    anonymous_value: object = True
    """The value that it has then."""
    machine_prefix: str | None = None
    """Beginning of the `sub` of programs."""
    machine_suffix: str | None = None
    """End of the `sub` of programs."""


PLAIN: Final = Preset()
"""An issuer of no known platform: OpenID Connect and RFC 9068 alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One row of who may call: how its tokens are signed and what they must say."""

    name: str
    issuer: str
    """The token's `iss`, to the letter."""
    secret: Secret = field(default_factory=lambda: Secret(""))
    """HS256. Empty: the row's tokens are signed by published keys. One family of algorithms a row, never a
    choice that the token makes."""
    jwks_url: str | None = None
    """Where the published keys are. None where there is a secret."""
    audiences: frozenset[str] = frozenset()
    """One of them must be in `aud`. Empty: `aud` is not looked at."""
    extra_audiences: bool = False
    """Whether `aud` may list others beside these."""
    parties: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Claims that name who asked for the token (`azp`, `client_id`), with what they may be."""
    required_claims: Mapping[str, Any] = field(default_factory=dict)
    leeway_s: float = 30.0
    """How far clocks may differ."""
    lifetime_s_max: float | None = 24 * 3600.0
    """The longest `exp - iat` that is believed. None: any (the development secret's tokens)."""
    preset: Preset = PLAIN

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What its tokens may be signed with: one family, from the row alone."""
        return HMAC if self.secret else self.preset.algorithms
