"""A token's text, taken apart: for any bytes at all it is whole, or refused."""

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relevo.auth.compact import NotATokenError, _repeats_a_name, check_shape, take_apart
from support.idp import b64

members = st.text('ab"\\:{}é', max_size=3)
trees = st.recursive(
    st.one_of(st.integers(), st.text('{}":,\\', max_size=6), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(st.tuples(members, inner), max_size=3).map(tuple)
    ),
    max_leaves=12,
)


def text_of(tree: Any) -> str:
    """JSON in which an object may have a name twice."""
    if isinstance(tree, tuple):
        return "{ " + " , ".join(f"{json.dumps(name)} : {text_of(value)}" for name, value in tree) + " }"
    if isinstance(tree, list):
        return "[" + ",".join(map(text_of, tree)) + "]"
    return json.dumps(tree, ensure_ascii=False)


@given(trees)
def test_a_name_twice_is_seen_wherever_it_stands(tree: Any) -> None:
    """For any JSON, what the standard library's own hook finds is found."""
    text, twice = text_of(tree), []

    def hook(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        twice.append(len(set(names)) < len(names))

    json.loads(text, object_pairs_hook=hook)
    assert _repeats_a_name(text.encode()) == any(twice)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=20))
def test_no_rubbish_is_a_bug(header: bytes, payload: bytes, signature: bytes) -> None:
    """Whatever bytes three parts hold, the answer is a refusal."""
    parts = ".".join(b64(part) for part in (header, payload, signature))
    with contextlib.suppress(NotATokenError):
        check_shape(parts)
        take_apart(parts)
