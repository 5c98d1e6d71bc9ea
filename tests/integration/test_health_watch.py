"""What operators see of targets that are left alone: log, admin API, metrics, the file behind `relevo explain`."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from relevo.app import Server
from relevo.cli.explain import explain
from relevo.config.problems import ConfigError
from relevo.core.errors import Fault, Harm
from relevo.routing.health import Rules, Ticket
from relevo.routing.target_key import key_of
from relevo.service.health_file import read_outages
from relevo.setup import set_up
from relevo.wiring import rules_of
from support.books import Admin
from support.gateway import QUICK, Gateway, config_text, running
from support.upstream import reply, streamed, upstream

FILE = "relevo-health.json"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """Two targets; the second has no list of models."""
    async with (
        upstream(streamed()) as a,
        upstream(reply("", 404)) as b,
        running(config_text({"a": a.base_url, "b": b.base_url}), tmp_path) as one,
    ):
        yield one


def end(
    server: Server, provider: str, harm: Harm | None, fault: Fault = Fault.SERVER_ERROR, later_s: float = 0
) -> None:
    """A call of this target ends so; `later_s` spares the test the second between calls of a dead one."""
    now_s = server._clock.now_s() + later_s
    key = key_of(server._app.state.chat.providers[provider], f"{provider}-model")
    ticket = server._watch.health.enter(key, now_s, last=True, waited=True)
    assert isinstance(ticket, Ticket)
    if harm is None:
        ticket.ok(now_s, 0.25)
    else:
        ticket.failed(now_s, harm, fault, 30)


async def until(path: Path, *, there: bool) -> None:
    async with asyncio.timeout(10):
        while path.exists() is not there:
            await asyncio.sleep(0)


async def state_of(admin: Admin, provider: str) -> dict[str, object]:
    rows: list[dict[str, object]] = (await admin("GET", "/admin/api/targets")).json
    assert [row["provider"] for row in rows] == ["a", "b"]
    return next(row for row in rows if row["provider"] == provider)


async def metrics(gateway: Gateway) -> list[str]:
    async with gateway.session.get(gateway.server.admin.url + "/metrics") as page:
        return (await page.text()).splitlines()


async def test_an_open_target_is_seen_everywhere(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the admin API, the metrics, the log and a file for other processes; and that it answers again, too."""
    caplog.set_level(logging.WARNING, "relevo")
    admin, server = Admin(gateway, tmp_path), gateway.server
    end(server, "a", None)
    assert await state_of(admin, "a") == {
        "provider": "a",
        "model": "a-model",
        "state": "closed",
        "until": None,
        "reason": None,
        "in_flight": 0,
        "limit": 1000,
        "calls": 1,
        "answered": 1,
        "first_token_ms": 250,
        "failure_rate": 0,
    }
    for _ in range(2):
        end(server, "b", Harm.FAILURE)
    row = await state_of(admin, "b")
    assert (row["state"], row["reason"], row["calls"]) == ("open", "server_error", 2)
    assert row["until"] is not None
    assert 'relevo_target_open{model="b-model",provider="b"} 1.0' in await metrics(gateway)
    assert 'relevo_target_open{model="a-model",provider="a"} 0.0' in await metrics(gateway)
    await until(tmp_path / FILE, there=True)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    (outage,) = read_outages(tmp_path, server._clock.wall_s()).values()
    assert (outage.provider, outage.model, outage.state, outage.reason) == ("b", "b-model", "open", "server_error")
    assert read_outages(tmp_path, outage.until_ms / 1000) == {}
    end(server, "b", None, later_s=1)
    await until(tmp_path / FILE, there=False)
    assert 'relevo_target_open{model="b-model",provider="b"} 0.0' in await metrics(gateway)
    opened, closed = (line for line in caplog.messages if line.startswith("b/"))
    assert re.fullmatch(r"b/b-model is left alone for 1[01] s: server_error", opened)
    assert closed == "b/b-model answers again"


async def test_explain_shows_it_from_another_process(gateway: Gateway, tmp_path: Path) -> None:
    """Open and cooling targets, with the moment; a file that is broken or old says nothing."""
    end(gateway.server, "a", Harm.COOLDOWN, Fault.RATE_LIMITED)
    end(gateway.server, "b", Harm.ROUTE, Fault.MODEL_NOT_FOUND)
    async with asyncio.timeout(10):
        while len(read_outages(tmp_path, gateway.server._clock.wall_s())) < 2:
            await asyncio.sleep(0)
    arguments = ["--config", str(tmp_path / "relevo.toml"), "--task", "T"]
    shown = await asyncio.to_thread(CliRunner().invoke, explain, arguments)
    a, b = (line.split("  ")[-1].strip(" │") for line in shown.output.splitlines() if "-model" in line)
    assert a.startswith("cooling until ")
    assert a.endswith(" (rate_limited)")
    assert b.startswith("open until ")
    assert b.endswith(" (model_not_found)")
    assert "States as of " in shown.output
    (tmp_path / FILE).write_text('[{"provider":')
    shown = await asyncio.to_thread(CliRunner().invoke, explain, arguments)
    assert "until" not in shown.output


async def test_a_refused_key_is_an_error_once(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line and one count an outage, however many calls find out."""
    caplog.set_level(logging.WARNING, "relevo")
    for second in range(5):
        end(gateway.server, "a", Harm.KEY, Fault.CREDENTIAL_REFUSED, second)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith("a refuses all calls with its key (credential_refused)")
    assert 'relevo_alarms_total{provider="a",reason="credential_refused"} 1.0' in await metrics(gateway)
    assert (await state_of(Admin(gateway, tmp_path), "a"))["state"] == "open"


async def test_a_reload_keeps_what_is_known_and_takes_the_new_numbers(gateway: Gateway, tmp_path: Path) -> None:
    """A new configuration makes no dead provider well; a new address starts afresh."""
    admin, server, path = Admin(gateway, tmp_path), gateway.server, tmp_path / "relevo.toml"
    for name in ("a", "b"):
        end(server, name, Harm.ROUTE)
    text = path.read_text().replace("[providers.a]", "[breaker]\nfailures = 1\n[providers.a]\nconcurrency = 7")
    path.write_text(text.replace(server._app.state.chat.providers["b"].base_url, "http://127.0.0.1:9/v1"))
    server.reload()
    row = await state_of(admin, "a")
    assert (row["state"], row["limit"]) == ("open", 7)
    assert (await state_of(admin, "b"))["state"] == "closed"
    end(server, "b", Harm.FAILURE)
    assert (await state_of(admin, "b"))["state"] == "open"


async def test_the_end_of_the_server_takes_the_file_away(tmp_path: Path) -> None:
    """Nothing is open where nothing runs."""
    async with (
        upstream(reply("", 404)) as provider,
        running(config_text({"a": provider.base_url}), tmp_path) as gateway,
    ):
        end(gateway.server, "a", Harm.ROUTE)
        await until(tmp_path / FILE, there=True)
    assert not (tmp_path / FILE).exists()


async def test_a_file_that_cannot_be_written_is_said(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on; the log says why `relevo explain` shows nothing."""
    (tmp_path / FILE).mkdir()
    end(gateway.server, "a", Harm.ROUTE)
    async with asyncio.timeout(10):
        while FILE not in caplog.text:
            await asyncio.sleep(0)
    assert (await gateway.chat(prompt="Hola")).status in (200, 500)
    (tmp_path / FILE).rmdir()


def test_the_numbers_come_from_the_configuration(tmp_path: Path) -> None:
    """The defaults are those of the rules; an impossible pair is an error."""
    path = tmp_path / "relevo.toml"
    path.write_text(config_text({"a": "http://127.0.0.1:9/v1"}, more=QUICK))
    assert rules_of(set_up(str(path))) == Rules(ceilings={"a": 1000})
    section = "[breaker]\nfailures = 3\nopen_s = 2\nopen_s_max = 4\nprobe_s = 1\n"
    path.write_text(config_text({"a": "http://127.0.0.1:9/v1"}, more=QUICK + section))
    expected = Rules(failures=3, open_s=2, open_s_max=4, probe_s=1, ceilings={"a": 1000})
    assert rules_of(set_up(str(path))) == expected
    path.write_text(path.read_text().replace("open_s_max = 4", "open_s_max = 1"))
    with pytest.raises(ConfigError, match="open_s_max"):
        set_up(str(path))
