"""Which tokens of published keys are believed: each way of forging or bending one is refused, with its code."""

import base64
import functools
import json
import warnings
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from relevo.auth.issuers import Issuer
from relevo.auth.keys import KeySetError, read_keys
from relevo.core.errors import GatewayError
from relevo.core.secret import Secret
from relevo.core.types import Principal
from support.idp import (
    ISS,
    NOW,
    URL,
    Bench,
    ScriptedFetch,
    b64,
    claims_of,
    ec_key,
    ed_key,
    jwk,
    key_set,
    outcome,
    rsa_key,
    signed,
    token,
)

GOOD_HEADER = {"alg": "RS256", "typ": "JWT", "kid": "k1"}


async def test_each_kind_of_key_signs_for_its_users() -> None:
    """RSA, P-256 and Ed25519 keys stand side by side in one set; each verifies what it signed."""
    keys = {"RS256": rsa_key(), "ES256": ec_key(), "EdDSA": ed_key()}
    bench = Bench(ScriptedFetch(key_set(*(jwk(private, name) for name, private in keys.items()))))
    verifier = bench.verifier()

    for name, private in keys.items():
        assert await verifier.verify(token(private, name, name)) == Principal("app", "ana")
    assert bench.fetch.calls == 1


def public_forms(private: Any) -> dict[str, bytes]:
    """What an attacker has of a key: its public part, in every spelling."""
    public = private.public_key()
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    info, pkcs1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
    row = jwk(private, "k1")
    return {
        "PEM": public.public_bytes(pem, info),
        "PEM without its end": public.public_bytes(pem, info).rstrip(),
        "DER": public.public_bytes(der, info),
        "PKCS1": public.public_bytes(der, pkcs1),
        "JWK": json.dumps(row).encode(),
        "n": row["n"].encode(),
    }


@functools.cache
def forged() -> dict[str, str]:
    """Tokens that nobody of the issuer signed."""
    import hashlib
    import hmac

    good = token()
    head, body, signature = good.split(".")
    bad = {
        "another key": token(rsa_key("other")),
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "padded": good + "==",
        "a signature spelled in another way": good[:-1] + chr(ord(good[-1]) + 1),
        "another payload": f"{head}.{b64(claims_of(sub='eva'))}.{signature}",
        "over 8 KiB": token(pad="x" * 8192),
    }
    for name in ("none", "None", "nOnE", "NONE", ""):
        for end in ("", signature):
            bad[f"alg {name} {end[:1]}"] = f"{b64({**GOOD_HEADER, 'alg': name})}.{body}.{end}"
    for name, secret in public_forms(rsa_key()).items():
        for algorithm in ("HS256", "HS384", "HS512"):
            text = f"{b64({**GOOD_HEADER, 'alg': algorithm})}.{body}"
            made = hmac.new(secret, text.encode(), getattr(hashlib, "sha" + algorithm[2:])).digest()
            bad[f"{algorithm} with the public key as {name}"] = f"{text}.{b64(made)}"
    for algorithm in ("RS512", "PS256", "rs256"):
        bad[f"alg {algorithm}"] = signed({**GOOD_HEADER, "alg": algorithm}, claims_of())
    return bad


@pytest.mark.parametrize("name", forged())
async def test_a_forged_token_is_refused_without_a_fetch(name: str) -> None:
    """Nobody is let in, and no token of a wrong algorithm or shape makes us ask the issuer."""
    bench = Bench()
    verifier = bench.verifier()
    assert await outcome(verifier, token()) == "ok"

    assert await outcome(verifier, forged()[name]) == "invalid_token"
    assert bench.fetch.calls == 1


async def test_a_signature_of_zeros_proves_nothing() -> None:
    """ES256 with r = s = 0, and its neighbours (CVE-2022-21449)."""
    bench = Bench(ScriptedFetch(key_set(jwk(ec_key(), "k1"))))
    verifier = bench.verifier()
    head, body, _ = token(ec_key(), "k1", "ES256").split(".")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    for r, s in ((0, 0), (0, 1), (1, 0), (order, order), (1, order)):
        made = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        assert await outcome(verifier, f"{head}.{body}.{b64(made)}") == "invalid_token"
    assert await outcome(verifier, f"{head}.{body}.{b64(bytes(70))}") == "invalid_token"


async def test_an_algorithm_comes_from_its_key_not_from_the_token() -> None:
    """A token that names a key of another algorithm, though both are allowed, is refused."""
    bench = Bench(ScriptedFetch(key_set(jwk(rsa_key(), "rsa"), jwk(ec_key(), "ec"))))
    verifier = bench.verifier()

    assert await outcome(verifier, token(ec_key(), "rsa", "ES256")) == "invalid_token"
    assert await outcome(verifier, token(rsa_key(), "ec", "RS256")) == "invalid_token"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("RSA of 1024 bits", jwk(rsa_key("small", 1024), "k1")),
        ("RSA of 512 bits", {"kty": "RSA", "kid": "k1", "n": b64(b"\xff" * 64), "e": "AQAB"}),
        ("RSA with e = 1", jwk(rsa_key(), "k1", e="AQ")),
        ("RSA with a huge e", jwk(rsa_key(), "k1", e=b64(b"\xff" * 200))),
        ("RSA of 80,000 bits", jwk(rsa_key(), "k1", n=b64(b"\xff" * 10_000))),
        ("P-384", jwk(ec_key("384", ec.SECP384R1), "k1", alg=...)),
        ("P-384 that says ES256", jwk(ec_key("384", ec.SECP384R1), "k1")),
        ("P-256 off the curve", jwk(ec_key(), "k1", x=b64(bytes(32)))),
        ("RSA for RS512", jwk(rsa_key(), "k1", alg="RS512")),
        ("RSA for HS256", jwk(rsa_key(), "k1", alg="HS256")),
        ("RSA for encryption", jwk(rsa_key(), "k1", use="enc")),
        ("RSA that only signs", jwk(rsa_key(), "k1", key_ops=["sign"])),
        ("a private key", jwk(rsa_key(), "k1", d="AQAB")),
        ("a shared secret", {"kty": "oct", "kid": "k1", "k": b64(b"0" * 32), "alg": "HS256"}),
        ("no kid", {n: v for n, v in jwk(rsa_key(), "").items() if n != "kid"}),
        ("a kid that is no text", jwk(rsa_key(), "k1") | {"kid": 7}),
        ("a certificate only", {"kty": "RSA", "kid": "k1", "x5c": ["AAAA"], "x5u": "http://169.254.169.254/"}),
        ("kty is a list", {"kty": ["RSA"], "kid": "k1"}),
        ("numbers that are none", jwk(rsa_key(), "k1", n=12)),
        ("no object", "k1"),
    ],
)  # fmt: skip
def test_a_key_that_proves_nothing_is_no_key(name: str, row: Any) -> None:
    """Short, of a wrong curve, for another use: such an entry is passed over, its neighbours are not."""
    with pytest.raises(KeySetError):
        read_keys(key_set(row))
    assert list(read_keys(key_set(row, jwk(ec_key(), "k2")))) == ["k2"]


def test_a_kid_that_names_two_keys_names_none() -> None:
    """Which of two keys was meant is nobody's guess; the same key twice is no question."""
    same, other = jwk(rsa_key(), "k1"), jwk(rsa_key("b"), "k1")

    assert list(read_keys(key_set(same, other, jwk(ec_key(), "k2")))) == ["k2"]
    assert list(read_keys(key_set(same, jwk(ec_key(), "k1"), jwk(ec_key(), "k2")))) == ["k2"]
    assert list(read_keys(key_set(same, same, other | {"use": "enc"}))) == ["k1"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"keys":{}}', b"[" * 100_000, b"\xff", b'{"keys":[]}']
)
def test_what_is_no_key_set_is_refused(body: bytes) -> None:
    """A page, an empty list, rubbish: said, never taken for an issuer without keys."""
    with pytest.raises(KeySetError):
        read_keys(body)


def test_a_set_of_too_many_keys_is_refused() -> None:
    """64 entries are read, 65 are not."""
    rows = [jwk(ec_key(), f"k{number}") for number in range(65)]

    assert len(read_keys(key_set(*rows[:64]))) == 64
    with pytest.raises(KeySetError):
        read_keys(key_set(*rows))


KIDS = [
    "../../dev/null",
    "/etc/passwd",
    "' OR 1=1 --",
    "k1\x00",
    "\x00",
    "K1",
    "k1 ",
    "",
    "https://evil.example/k",
    "x" * 255,
]


@pytest.mark.parametrize("kid", [*KIDS, "x" * 256, "x" * 5000, None, ...], ids=repr)
async def test_a_kid_is_a_name_in_a_dictionary_and_nothing_else(kid: Any) -> None:
    """Paths, SQL, NUL, long ones, none: not the name of a key, so 401."""
    header = {**GOOD_HEADER, "kid": kid}
    text = signed({name: value for name, value in header.items() if value is not ...}, claims_of())

    bench = Bench()
    assert await outcome(bench.verifier(), text) == "invalid_token"
    assert bench.fetch.calls == (1 if kid in KIDS else 0)
    assert await outcome(Bench().verifier(), signed({**GOOD_HEADER, "kid": ["k1"]}, claims_of())) == "invalid_token"


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_a_key_in_the_token_is_never_looked_at(name: str) -> None:
    """The attacker's key, or its address, in the header: the issuer's key is asked for, and does not fit."""
    evil = rsa_key("evil")
    value = {"jwk": jwk(evil, "k1"), "x5c": ["AAAA"]}.get(name, "https://evil.example/jwks.json")
    bench = Bench()
    verifier = bench.verifier()

    assert await outcome(verifier, signed({**GOOD_HEADER, name: value}, claims_of(), evil)) == "invalid_token"
    assert await outcome(verifier, signed({**GOOD_HEADER, name: value}, claims_of())) == "ok"  # and does no harm


def with_text(**texts: str) -> str:
    """A payload with the given members as raw JSON text."""
    members = {name: json.dumps(value) for name, value in claims_of().items()} | texts
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"


@pytest.mark.parametrize(
    "payload",
    [
        with_text(exp=f'"{NOW + 60}"'), with_text(exp="true"), with_text(exp="1e300"), with_text(exp="-1"), with_text(exp="0"),
        with_text(exp="null"), with_text(exp="[1]"), with_text(exp="NaN"), with_text(exp="Infinity"), with_text(exp=f"{2**53}"),
        with_text(iat=f'"{NOW}"'), with_text(iat="true"), with_text(iat="{}"), with_text(nbf=f'"{NOW}"'), with_text(nbf="null"), with_text(nbf="true"),
        with_text(sub='""'), with_text(sub="7"), with_text(sub="null"), with_text(sub=json.dumps("x" * 256)), with_text(sub='"a\\u0000"'),
        with_text(sub='"a","sub":"eva"'), with_text(sub='"a","\\u0073ub":"eva"'), with_text(more='{"a":1,"a":2}'),
        with_text(exp=f"{NOW + 86_401}"), with_text(iat=f"{NOW + 3601}"), with_text(nbf=f"{NOW + 31}"), with_text(exp=f"{NOW - 1}"),
        "[]", "", "null", "{", '{"iss":', "\ufeff{}", "[" * 5000, '{"a":' * 1000 + "1" + "}" * 1000,
    ],
)  # fmt: skip
async def test_an_odd_payload_is_refused_though_signed(payload: str) -> None:
    """Texts for numbers, names twice, times out of bounds, deep or broken JSON: the issuer's own key does not help."""
    assert await outcome(Bench().verifier(), signed(GOOD_HEADER, payload)) == "invalid_token"


@pytest.mark.parametrize("name", ["exp", "iat", "sub", "iss"])
async def test_a_claim_that_is_missing_is_refused(name: str) -> None:
    """Each of the four must be there."""
    assert await outcome(Bench().verifier(), signed(GOOD_HEADER, claims_of(**{name: ...}))) == "invalid_token"


@pytest.mark.parametrize(
    "header",
    ['{"alg":"none","alg":"RS256","kid":"k1"}', '{"alg":"RS256","\\u0061lg":"none","kid":"k1"}',
     '{"alg":"RS256","kid":"k2","kid":"k1"}', '{"alg":"RS256","kid":"k1","crit":["exp"]}',
     '{"alg":"RS256","kid":"k1","b64":false}', '{"alg":["RS256"],"kid":"k1"}', '{"kid":"k1"}', "[]", "[" * 5000],
)  # fmt: skip
async def test_an_odd_header_is_refused_though_signed(header: str) -> None:
    """Names twice (also by escapes), critical extensions, lists for names."""
    assert await outcome(Bench().verifier(), signed(header, claims_of())) == "invalid_token"


@pytest.mark.parametrize(
    "issuer",
    [ISS + "/", ISS.upper(), ISS.replace("https", "http"), ISS + "#", ISS + "?", " " + ISS, ISS + "\x00", "https://u:p@idp.example",
     "https://idp.example.", "https://idp.example:443", "https://\u0456dp.example", "https://xn--dp-mlc.example", [ISS], {}, None, 1],
    ids=repr,
)  # fmt: skip
async def test_an_issuer_is_the_configured_one_to_the_letter(issuer: Any) -> None:
    """A slash, a case, a port, a lookalike letter more or less: another issuer, and its keys are not asked for."""
    bench = Bench()

    assert (
        await outcome(bench.verifier(), signed(GOOD_HEADER, json.dumps({**claims_of(), "iss": issuer})))
        == "invalid_token"
    )
    assert bench.fetch.calls == 0


async def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    """At 30 s of leeway: 29 s late is in time, 31 s late is expired; 30 s early is in time, 31 s is not."""
    verifier = Bench().verifier()

    assert await outcome(verifier, token(iat=NOW - 100, exp=NOW - 29)) == "ok"
    assert await outcome(verifier, token(iat=NOW - 100, exp=NOW - 31)) == "token_expired"
    assert await outcome(verifier, token(iat=NOW + 30)) == "ok"
    assert await outcome(verifier, token(iat=NOW + 31)) == "invalid_token"
    assert await outcome(verifier, token(nbf=NOW + 30)) == "ok"


async def test_a_clock_that_jumps_takes_no_token_with_it() -> None:
    """A day forward ends sessions; a day back neither lets ended ones in for long nor keeps a cache alive."""
    bench = Bench()
    verifier = bench.verifier()
    text = token()
    assert await outcome(verifier, text) == "ok"
    bench.clock.wall += 86_400
    assert await outcome(verifier, text) == "token_expired"
    bench.clock.wall -= 2 * 86_400
    bench.clock.mono += 60
    assert await outcome(verifier, text) == "invalid_token"  # issued tomorrow, and the cache is a minute old


async def test_an_audience_with_others_needs_the_rows_word() -> None:
    """Ours alone is served, ours among others only where the row says so, others never."""
    row: dict[str, Any] = {"name": "app", "issuer": ISS, "jwks_url": URL, "audiences": frozenset({"ours"})}
    strict, open_ = Bench().verifier(Issuer(**row)), Bench().verifier(Issuer(**row, extra_audiences=True))

    for aud, expected in (
        ("ours", ("ok", "ok")), (["ours"], ("ok", "ok")), (["ours", "theirs"], ("invalid_token", "ok")),
        ("theirs", ("invalid_token",) * 2), ([], ("invalid_token",) * 2), (..., ("invalid_token",) * 2),
        (["ours", 7], ("invalid_token",) * 2), ({"ours": 1}, ("invalid_token",) * 2), ("our", ("invalid_token",) * 2),
    ):  # fmt: skip
        assert (await outcome(strict, token(aud=aud)), await outcome(open_, token(aud=aud))) == expected, aud


async def test_two_issuers_with_one_subject_are_two_callers() -> None:
    """An account is the pair; who signs for one issuer cannot speak for the other."""
    secret = "an-invented-secret-of-another-app-0123456789"
    verifier = Bench().verifier(
        Issuer(name="app", issuer=ISS, jwks_url=URL), Issuer(name="old", issuer="old", secret=Secret(secret))
    )
    mine = await verifier.verify(token())
    theirs = await verifier.verify(jwt.encode(claims_of(iss="old"), secret, algorithm="HS256"))

    assert mine != theirs
    assert {mine.subject, theirs.subject} == {"ana"}
    assert (
        await outcome(verifier, jwt.encode(claims_of(), secret, algorithm="HS256", headers={"kid": "k1"}))
        == "invalid_token"
    )
    assert await outcome(verifier, token(iss="old")) == "invalid_token"
    assert Principal("app", "ana", "user") == Principal("app", "ana", "machine")


async def test_a_row_with_a_secret_takes_one_algorithm() -> None:
    """HS384 and HS512 of the right secret are refused, and so is a secret that is a public key."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        secret = "0123456789" * 4
        verifier = Bench().verifier(Issuer(name="app", issuer=ISS, secret=Secret(secret)))
        made = {name: jwt.encode(claims_of(), secret, algorithm=name) for name in ("HS256", "HS384", "HS512")}

    assert [await outcome(verifier, made[name]) for name in made] == ["ok", "invalid_token", "invalid_token"]


async def test_the_cache_is_of_whole_tokens_and_ends_with_the_key() -> None:
    """A token from the cache costs no key; one of a key that is gone is refused at once."""
    bench = Bench(ScriptedFetch(key_set(jwk(rsa_key(), "k1"), jwk(rsa_key("b"), "k2"))))
    verifier = bench.verifier()
    text = token()
    first = await verifier.verify(text)
    coroutine = verifier.verify(text)
    with pytest.raises(StopIteration) as ended:  # it ends in its first step: nothing is waited for
        coroutine.send(None)
    assert ended.value.value is first

    bench.fetch.body = key_set(jwk(rsa_key("b"), "k2"))
    assert await outcome(verifier, token(kid="k3")) == "invalid_token"  # asks the issuer, who has revoked k1
    assert bench.fetch.calls == 2
    bench.clock.pass_s(1)
    assert await outcome(verifier, text) == "invalid_token"


async def test_the_caller_hears_nothing_and_the_operator_no_token() -> None:
    """The reason has no word of the token's in it."""
    text = token(sub="canary-subject\n", aud="canary-audience")
    with pytest.raises(GatewayError) as caught:
        await Bench().verifier().verify(text)

    assert "canary" not in str(caught.value.values)
    assert base64.urlsafe_b64encode(b"canary").decode()[:6] not in str(caught.value)


async def test_no_letter_of_a_token_can_be_changed() -> None:
    """Every letter replaced by another one of base64url, or left out: the token is refused."""
    verifier = Bench().verifier()
    text = token()
    for at, letter in enumerate(text):
        for other in {"A", "-", "."} - {letter}:
            assert await outcome(verifier, text[:at] + other + text[at + 1 :]) != "ok", at
        assert await outcome(verifier, text[:at] + text[at + 1 :]) != "ok", at
    assert await outcome(verifier, text) == "ok"
