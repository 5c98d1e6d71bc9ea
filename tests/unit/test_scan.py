"""What a scan finds in apps of every known shape, and what it leaves alone."""

from pathlib import Path

import pytest

from relevo.providers.registry import BUILT_IN
from relevo.scan.findings import RULES, Severity
from relevo.scan.known import HOSTS
from relevo.scan.project import scan_folder
from support.scan_corpus import CLEAN, LEAKS, PROVIDERS, App, fill, key

SYNTAXES = {
    "a string of JavaScript": ("src/a.js", "const k = '{key}';"),
    "a double quoted one": ("src/a.ts", 'export const k: string = "{key}";'),
    "a template": ("src/a.jsx", "const h = {{ Authorization: `Bearer {key}` }};"),
    "a header": ("src/a.mjs", "headers: {{ 'x-api-key': '{key}' }}"),
    "an address": ("src/a.vue", "fetch('/x?key={key}&b=1')"),
    "JSON": ("settings.json", '{{"key":"{key}"}}'),
    "YAML": ("ci.yml", "key: {key}\n"),
    "a public variable": (".env.local", "VITE_SOMETHING={key}\n"),
    "a quoted variable": (".env", 'export NEXT_PUBLIC_X="{key}"\n'),
    "Markdown": ("NOTES.md", "It is `{key}`."),
    "a minified bundle": ("dist/i.js", 'var a="{key}",b=1;'),
    "a map": ("dist/i.js.map", '{{"sourcesContent":["k=\\"{key}\\";"]}}'),
    "Python": ("a.py", "k = '{key}'"),
    "a page": ("index.html", "<script>k='{key}'</script>"),
}


def found(folder: Path) -> set[tuple[str, str]]:
    return {(each.rule, each.path) for each in scan_folder(folder).findings if each.severity}


@pytest.mark.parametrize("app", LEAKS, ids=lambda app: app.name)
def test_every_planted_leak_is_found_and_nothing_else(app: App, tmp_path: Path) -> None:
    """Each shape of an app gives exactly its findings, each at a line of the file."""
    app.write(tmp_path)

    assert found(tmp_path) == app.expected
    for each in scan_folder(tmp_path).findings:
        assert 1 <= each.line <= fill(app.files[each.path]).count("\n") + 1
        assert each.change == RULES[each.rule].change


@pytest.mark.parametrize("app", CLEAN, ids=lambda app: app.name)
def test_what_only_looks_like_a_leak_is_left_alone(app: App, tmp_path: Path) -> None:
    """Servers, placeholders, public keys, documents and tests give nothing that fails a run."""
    app.write(tmp_path)

    assert found(tmp_path) == set()


def test_there_are_sixty_shapes() -> None:
    """The corpus covers what is known of such apps."""
    assert len(LEAKS) + len(CLEAN) >= 60
    assert len({app.name for app in LEAKS + CLEAN}) == len(LEAKS) + len(CLEAN)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_is_found_in_every_syntax_and_never_shown(provider: str, syntax: str, tmp_path: Path) -> None:
    """Twenty keys of each provider's shape in each syntax: one critical finding each, masked."""
    path, template = SYNTAXES[syntax]
    for number in range(20):
        secret = key(provider, number)
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("\n" + template.format(key=secret))

        values = [each for each in scan_folder(tmp_path).findings if each.rule == "key-value"]

        assert [(each.path, each.line, each.severity) for each in values] == [(path, 2, Severity.CRITICAL)], secret
        assert secret[-12:] not in repr(values)
        assert values[0].subject.startswith(secret[:3].rstrip("0123456789"))
        assert secret[-4:] in values[0].subject


def test_every_built_in_provider_is_known() -> None:
    """A provider that relevo calls is one that a browser should not: its host is looked for."""
    for name, provider in BUILT_IN.items():
        if name != "ollama":
            assert any(host.decode() in provider.base_url for host in HOSTS), name
