"""Nothing said to a person stands in code: texts are keys in `locales/`.

Four checks: what is said has no literal text, keys exist, Indic script stands only in tables that read (never
speak), and templates hold no words of their own.
"""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

from bot.i18n import Words

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path for top in ("bot", "workers") for path in (ROOT / top).rglob("*.py"))
TEMPLATES = sorted((ROOT / "bot").rglob("*.html"))

# What carries words to a person: callable -> (position, name) of the argument that is a text.
SPOKEN: dict[str, tuple[tuple[int, str], ...]] = {
    "Say": ((2, "text"),),
    "Choice": ((2, "text"),),
    "Button": ((1, "title"),),
    "StaffText": ((1, "text"),),
    "OutboundMessage": ((4, "text"), (8, "subject")),
    "add_task": ((3, "subject"),),
}
# What takes a key: callable -> position of the key.
KEYED = {
    "Say": 0,
    "Choice": 1,
    "say": 0,
    "notify_user": 2,
    "_tell": 2,
    "Key": 0,
    "Check": 0,
    "Step": 0,
}
# Words in other scripts that the program reads, and never says. This list may only shrink.
READS_OTHER_SCRIPTS = {
    "bot/channels/email/text.py": "how mail programs introduce a quote",
    "bot/dialogs/found.py": "digits as people type them",
    "bot/dialogs/understanding/extract.py": "how people give their name and their budget",
    "bot/knowledge/tokens.py": "endings of Hindi and Urdu words, letters that look alike",
}
INDIC = re.compile(r"[\u0620-\u06d3\u06e5-\u06ff\u0900-\u0963\u0966-\u0dff]")  # letters and digits, no marks
WORD = re.compile(r"[^\W\d_]{2,}")
HUMAN_ATTRIBUTES = ("alt", "title", "placeholder", "aria-label", "aria-description", "label")
UNTRANSLATED = {"Samvad", "Ctrl", "Enter", "Shift", "Esc", "warranty"}
"""The program's name, what is printed on keys, an example of an article's id."""


def relative(path: Path) -> str:
    """As it is named in messages."""
    return str(path.relative_to(ROOT))


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    """(name, call) of every call in a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func
            yield function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", ""), node


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """An argument of a call, by name or by place."""
    named = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return named or (call.args[position] if len(call.args) > position else None)


def literal_words(node: ast.expr | None) -> list[str]:
    """The words that an expression holds as literals: of a text, an f-string, a choice between texts."""
    if isinstance(node, ast.Constant):
        return WORD.findall(node.value) if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return [
            word for part in node.values if isinstance(part, ast.Constant) for word in literal_words(part)
        ]
    if isinstance(node, ast.IfExp):
        return literal_words(node.body) + literal_words(node.orelse)
    if isinstance(node, ast.BinOp):
        return literal_words(node.left) + literal_words(node.right)
    if isinstance(node, ast.BoolOp):
        return [word for value in node.values for word in literal_words(value)]
    return []


def spoken_literals(source: str) -> list[str]:
    """Texts that a module says by itself."""
    return [
        f"line {call.lineno}: {name} says {' '.join(words)!r}; make it a key in locales/"
        for name, call in calls(source)
        for position, argument_name in SPOKEN.get(name, ())
        if (words := literal_words(argument(call, position, argument_name)))
    ]


def keys_of(node: ast.expr | None) -> list[str]:
    """The keys an expression may be, as patterns."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.escape(node.value)]
    if isinstance(node, ast.JoinedStr):
        parts = [
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values
        ]
        return ["".join(parts)]
    if isinstance(node, ast.IfExp):
        return keys_of(node.body) + keys_of(node.orelse)
    return []


def unknown_keys(source: str, known: list[str]) -> list[str]:
    """Keys that a module says and no catalogue has."""
    return [
        f"line {call.lineno}: there are no words for {pattern}"
        for name, call in calls(source)
        if name in KEYED
        for pattern in keys_of(argument(call, KEYED[name], "key"))
        if pattern and not any(re.fullmatch(pattern, key) for key in known)
    ]


@pytest.fixture(scope="module")
def known() -> list[str]:
    """Every key of the English catalogue."""
    return sorted({key for _, key in Words.load()._catalogues["en"].texts})


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_what_is_said_is_a_key(path: Path, known: list[str]) -> None:
    source = path.read_text("utf-8")
    assert spoken_literals(source) == []
    assert unknown_keys(source, known) == []


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_other_scripts_stand_in_catalogues(path: Path) -> None:
    if relative(path) in READS_OTHER_SCRIPTS:
        return
    found = [
        f"{relative(path)}:{node.lineno}: {node.value!r}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and INDIC.search(node.value)
    ]
    assert found == []


def test_the_list_of_readers_only_shrinks() -> None:
    idle = [name for name in READS_OTHER_SCRIPTS if not INDIC.search((ROOT / name).read_text("utf-8"))]
    assert idle == []


# --- templates -------------------------------------------------------------------------------------


def shown(node: nodes.Node) -> str:
    """What an expression of a template may print that is written in the template itself."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Const):
        return str(node.value) if isinstance(node.value, str) else ""
    if isinstance(node, nodes.CondExpr):
        return shown(node.expr1) + " " + (shown(node.expr2) if node.expr2 is not None else "")
    if isinstance(node, nodes.Concat):
        return "".join(shown(part) for part in node.nodes)
    if isinstance(node, nodes.Filter) and node.node is not None:
        return shown(node.node)
    if isinstance(node, nodes.Or | nodes.And):
        return shown(node.right)
    return ""


class Visible(HTMLParser):
    """Gathers what a reader of the page sees or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("script", "style")
        self.found += [value for name, value in attrs if name in HUMAN_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data)


def bare_words(source: str) -> list[str]:
    """Words of a template that no catalogue holds."""
    tree = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=True).parse(source)
    page = "".join(shown(part) for output in tree.find_all(nodes.Output) for part in output.nodes)
    visible = Visible()
    visible.feed(page)
    visible.close()
    words = WORD.findall(" ".join(visible.found))
    return [word for word in words if word not in UNTRANSLATED]


def template_keys(source: str) -> Iterator[str]:
    """Keys that a template says by `t("…")`."""
    tree = jinja2.Environment(autoescape=True).parse(source)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t" and call.args:
            first = call.args[0]
            if isinstance(first, nodes.Const):
                yield str(first.value)


@pytest.mark.parametrize("path", TEMPLATES, ids=relative)
def test_templates_hold_no_words(path: Path, known: list[str]) -> None:
    source = path.read_text("utf-8")
    assert bare_words(source) == []
    assert [key for key in template_keys(source) if key not in known] == []


# --- the checks themselves -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        'Say(text="Hello there")',
        'turn.Say("", {}, "Hello there")',
        'Say(text=f"Dear {name}")',
        'Choice("flow:x", text="Yes" if sure else "")',
        'Button("yes", "Yes")',
        'OutboundMessage(text=words, subject="Your message")',
        'Say("no.such.key")',
        'words.say(f"no.such.{key}", lang)',
    ],
)
def test_a_text_in_code_is_found(code: str, known: list[str]) -> None:
    assert spoken_literals(code) or unknown_keys(code, known)


@pytest.mark.parametrize(
    "source",
    [
        "<p>Welcome</p>",
        '<input placeholder="Your name">',
        '<a title="{{ \'Open it\' if x else y }}">{{ t("console.open") }}</a>',
        "{% if x %}<p>Yes please</p>{% endif %}",
    ],
)
def test_a_word_in_a_template_is_found(source: str) -> None:
    assert bare_words(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p class="warn">{{ t("console.open") }} <kbd>Ctrl</kbd> ✓</p>',
        "{# a remark #}<script>const open = true;</script>{{ name }}",
        "<p class=\"{{ 'warn' if x else 'plain' }}\">1</p>",
    ],
)
def test_a_template_without_words_passes(source: str) -> None:
    assert bare_words(source) == []
