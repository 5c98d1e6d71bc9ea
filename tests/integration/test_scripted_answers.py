"""The good answers of the shipped upstream are answers: relevo serves them, in every provider's accent."""

from pathlib import Path
from typing import get_args

import pytest

from relevo.testing import AccentName, ScriptedUpstream, fault
from relevo.testing.answers import TEXT
from relevo.testing.odd_answers import GOOD
from support.gateway import config_text, running


@pytest.mark.parametrize("accent", get_args(AccentName))
async def test_every_good_answer_is_served_whole(accent: AccentName, tmp_path: Path) -> None:
    """However a provider cuts, orders and frames it, the caller gets the text or the calls, and the counts."""
    async with ScriptedUpstream(*[fault(name, accent) for name in GOOD]) as up:
        async with running(config_text({"a": up.base_url}), tmp_path) as gateway:
            for name in GOOD:
                answer = await gateway.chat(prompt="Hola")

                assert answer.status == 200, name
                assert answer.json["content"] == ("" if "tool" in name else TEXT), name
                assert len(answer.json.get("tool_calls", [])) == {"tool-calls": 2, "huge-tool-call": 1}.get(name, 0)
                assert answer.json["usage"]["total_tokens"] == 10, name
