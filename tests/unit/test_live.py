"""What `relevo check --live` says of models that a provider does not list."""

import pytest

from relevo.core.types import Target
from relevo.providers.registry import Provider
from relevo.service.live import missing_model


@pytest.mark.parametrize(
    ("host", "listed", "said"),
    [
        ("192.0.2.1", {"m", "other"}, None),
        ("192.0.2.1", {"other"}, 'mine does not list "m": of 1 models it lists "other"'),
        ("127.0.0.1", {"other"}, None),
        ("127.0.0.1", {"a", "b", "c", "d"}, 'mine does not list "m": of 4 models it lists "a", "b", "c"'),
    ],
)
def test_a_missing_model_is_told_with_what_there_is(host: str, listed: set[str], said: str | None) -> None:
    """At most three names; a single model of a server on this machine answers to any name."""
    provider = Provider(name="mine", base_url=f"http://{host}:9/v1")
    target = Target(provider="mine", upstream_model="m")
    assert missing_model(provider, target, frozenset(listed)) == said
