"""The JavaScript client under Node: its own tests, against a running server too, and its types."""

import shutil
import subprocess
from pathlib import Path

import pytest

from support.process import environment, served

CLIENT = Path(__file__).parents[2] / "clients" / "js"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("npm") and (CLIENT / "node_modules").is_dir()),
        reason="SKIPPED: the JavaScript client is not tested: install Node.js and npm, then make test",
    ),
]


def npm(*args: str, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["npm", *args],
        cwd=CLIENT,
        env=environment(environ),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_the_client_works_against_a_running_server(tmp_path: Path) -> None:
    """Every test of the client passes, those against a real server included: none is skipped."""
    with served(tmp_path) as server:
        out = npm("test", environ={"RELEVO_TEST_URL": server.url, "RELEVO_TEST_TOKEN": server.token})

    assert "# fail 0" in out or "fail 0" in out
    assert "skipped 0" in out


def test_the_types_are_those_of_the_code() -> None:
    """The declarations compile against a program that uses all of them."""
    npm("run", "types")


def test_the_package_holds_what_its_readme_promises() -> None:
    """`npm pack` ships the source, the types, the page and the licence, and nothing else."""
    out = npm("pack", "--dry-run", "--json")

    for name in ("src/index.js", "src/index.d.ts", "README.md", "LICENSE", "package.json"):
        assert f'"path": "{name}"' in out
    assert "test/" not in out
