"""What the claims of an authentic token say, held to its row. Pure: the signature was verified before.

Whoever is refused here for what the token is *for* (a role, a kind of token) gets 403: signing in again would
not help. Whoever brings the token of another app, or an odd one, gets 401.
"""

from typing import Any, Final

from relevo.auth.issuers import Issuer
from relevo.core.errors import Code, GatewayError
from relevo.core.types import Principal, PrincipalKind

_SUBJECT_MAX: Final = 255
_SECONDS_MAX: Final = 2**53
_CLIENT_GRANTS: Final = frozenset({"client-credentials", "client_credentials"})


def refused(reason: str) -> GatewayError:
    """`invalid_token`. The reason is for the operator's log; the caller hears only that the token is not valid."""
    return GatewayError(Code.INVALID_TOKEN, reason=reason)


def _forbidden(reason: str) -> GatewayError:
    return GatewayError(Code.FORBIDDEN, reason=reason)


def read_claims(claims: dict[str, Any], row: Issuer, now_s: float) -> tuple[Principal, float]:
    """Who the token speaks for, and its `exp`.

    Raises:
        GatewayError: `invalid_token`, `token_expired` or `forbidden`, with the reason for the operator's log.
    """
    _check_purpose(claims, row)
    _check_audience(claims, row)
    subject = _subject(claims)
    kind = _kind(claims, subject, row)
    _check_parties(claims, row, kind)
    expires_s = _check_times(claims, row, now_s)
    return Principal(row.name, subject, kind), expires_s


def _check_purpose(claims: dict[str, Any], row: Issuer) -> None:
    """A Supabase `anon` key is an authentic token of the same secret, a Cognito ID token one of the same keys."""
    for name, wanted in row.required_claims.items():
        if claims.get(name) != wanted:
            raise _forbidden(f"its claim {name} is not the required one")
    for name, unwanted in row.preset.refused_claims.items():
        if claims.get(name) == unwanted:
            raise _forbidden(f"its claim {name} is {unwanted}")


def _check_audience(claims: dict[str, Any], row: Issuer) -> None:
    if not row.audiences:
        return
    given = claims.get("aud")
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise refused("it lacks the aud that is configured")
    others = set(listed) - row.audiences
    if len(others) == len(set(listed)):
        raise refused("its aud is not the configured audience")
    if others and not row.extra_audiences:
        raise refused("its aud lists others beside the configured audience: extra_audiences = true would allow it")


def _subject(claims: dict[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX or not subject.isprintable():
        raise refused("its sub is not 1 to 255 printable characters")
    return subject


def _kind(claims: dict[str, Any], subject: str, row: Issuer) -> PrincipalKind:
    preset = row.preset
    prefix, suffix = preset.machine_prefix, preset.machine_suffix
    if (
        (prefix and subject.startswith(prefix))
        or (suffix and subject.endswith(suffix))
        or claims.get("gty") in _CLIENT_GRANTS
        or subject == claims.get("client_id")  # RFC 9068 §2.2: without a user, the subject is the client
    ):
        return "machine"
    value: Any = claims
    for name in preset.anonymous:
        value = value.get(name) if isinstance(value, dict) else None
    return "anonymous" if preset.anonymous and value == preset.anonymous_value else "user"


def _check_parties(claims: dict[str, Any], row: Issuer, kind: PrincipalKind) -> None:
    for name, allowed in row.parties.items():
        party = claims.get(name)
        if party is None and kind == "machine" and name == "azp":
            continue  # a program has no origin
        if not isinstance(party, str) or party not in allowed:
            raise refused(f"its {name} is none of the configured ones")
    for name in row.preset.user_claims:
        if kind != "machine" and not claims.get(name):
            raise refused(f"it has no {name}: it is not the token of a session")


def _check_times(claims: dict[str, Any], row: Issuer, now_s: float) -> float:
    """`exp`. Times are JSON numbers: a text or `true` in their place is refused."""
    expires_s, issued_s = _number(claims, "exp"), _number(claims, "iat")
    times = [issued_s, *(_number(claims, name) for name in row.preset.past_claims)]
    if "nbf" in claims:
        times.append(_number(claims, "nbf"))
    if max(times) > now_s + row.leeway_s:
        raise refused("its iat, nbf or auth_time lies in the future: compare the clocks")
    if issued_s > expires_s:
        raise refused("its exp is before its iat")
    if row.lifetime_s_max is not None and expires_s - issued_s > row.lifetime_s_max:
        raise refused(f"it is good for more than {row.lifetime_s_max / 3600:.0f} h (exp - iat): see max_age_s")
    if expires_s + row.leeway_s <= now_s:
        raise GatewayError(Code.TOKEN_EXPIRED, reason="it has expired")
    return expires_s


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _SECONDS_MAX:
        raise refused(f"its {name} is no number of seconds")
    return float(value)
