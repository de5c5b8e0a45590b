"""Texts that are not YAML: the line that must change, and a remedy after which the text is YAML or nearer to it."""

from __future__ import annotations

import re

import pytest

from archspec.diagnostics import Source
from archspec.lang.document.yaml_parser import parse_document
from tests.refusal import refused

TOP = "name: net\ninput: [32, 32, 3]\n"


@pytest.mark.parametrize(
    ("text", "line", "help"),
    [
        ("name net\ninput: [32, 32, 3]\nlayers: [relu]\n", 1, "put a colon after `name`: `name: net`"),
        (f"{TOP}layers\n  - conv: 8\n", 3, "put a colon after `layers`: `layers:`"),
        (f"{TOP}layers\n- conv: 8\n- relu\n", 3, "put a colon after `layers`: `layers:`"),
        (
            f"{TOP}layers:\n  - conv {{filters: 8, strides: 2}}\n",
            4,
            "put a colon after `conv`: `conv: {filters: 8, strides: 2}`",
        ),
        (f"{TOP}layers:\n  -conv: 8\n  -relu\n\n", 4, "put a space after the dash: `- conv: 8`"),
        ("name = net\ninput = [1]\nlayers:\n  - relu\n", 1, "put a colon instead of `=`: `name: net`"),
        ("name: net;\ninput: [32, 32, 3];\nlayers: [relu];\n", 1, "remove the `;` at the end of the line"),
        ("name: net\nsource: 'it's a net'\n", 2, 'put a text with an apostrophe in double quotes: "it\'s a net"'),
        (f"{TOP}layers: [\n  - conv: 8\n]\n", 4, "inside brackets, separate the items by commas, without dashes"),
        (f"{TOP}layers:\n  - conv: {{filters: 8\n  - relu\n  - flatten\n", 4, "close the `{` with `}`"),
        (f"{TOP}layers:\n  - conv: {{filters: 8}}}}\n", 4, "remove a `}`, or open it with `{`"),
        (f"{TOP}layers:\n  - conv: {{filters: 8 strides: 2}}\n", 4, "put a comma before `strides`"),
        (
            f"{TOP}layers:\n  - reshape: [-1, $(shape[0] * shape[1])]\n",
            4,
            '`"$(shape[0] * shape[1])"`',
        ),
        (f"{TOP}layers:\n  - conv: 8\n    - relu\n", 5, "start this line with 2 spaces, as line 4"),
        (f"{TOP}layers:\n    - conv: 8\n  - relu\n", 5, "start this line with 4 spaces, as line 4"),
        (f"{TOP}layers: [conv: {{filters: 8}} x 3, relu]\n", 3, "write `repeat: 3` beside its operator"),
        (f"{TOP}layers:\n  - {{conv: $shape[2]}}\n", 4, '`"$(shape[2])"`'),
        (f"{TOP}layers:\n  - conv: {{filters: ${{k}}}}\n", 4, "write `$k`"),
        (f"{TOP}layers:\n  - {{slice: {{start: $(a[0]), end: $a[1]}}}}\n", 4, '`"$(a[0])"`'),
        (f'{TOP}layers:\n  - {{slice: {{start: "$(a[0])", end: $a[-1]}}}}\n', 4, '`"$(a[-1])"`'),
        (
            f"{TOP}layers:\n  - conv: @k\n",
            4,
            "put quotes around text that starts with `@`; the value of a parameter is `$k`",
        ),
        (f"{TOP}layers:\n  - conv: `k`\n", 4, "put quotes around text that starts with a backtick"),
        (f"{TOP}layers:\n  - {{conv: !k}}\n", 4, "put quotes around text that starts with `!`"),
        (f"{TOP}layers:\n  - conv: > 8\n", 4, "put quotes around text that starts with `>`"),
        (
            f"{TOP}layers:\n  - {{name: a: b, conv: 3}}\n",
            4,
            'put quotes around text that contains `: `: `name: "a: b"`',
        ),
        (f"{TOP}layers:\n  - conv: {{filters: 8,, strides: 2}}\n", 4, "remove a comma"),
        (f"{TOP}layers:\n  - conv: 8, strides: 2\n", 4, "each with its name: `conv: {..., strides: ...}`"),
        (f"{TOP}layers:\n  - name: a conv: 8\n", 4, "put braces around the layer: `- {name: a, conv: ...}`"),
        (f"{TOP}layers:\n  - : 8\n", 4, "write the name of the operator before the colon"),
        (f"{TOP}layers:\n  * conv: 8\n", 4, "start the line with `- `: `- conv: 8`"),
        (f"{TOP}layers:\n  - conv: 8\n  relu\n", 5, "start the line with `- `: `- relu`"),
        (f"{TOP}layers:\n  - relu\n  // the head\n", 5, "start a comment with `#`"),
        (f"{TOP}layers:\n  - conv:\n      filters: 8\n       strides: 2\n", 6, "check the indentation of this line"),
        (f"{TOP}layers:\n  -\tconv: 8\n", 4, "indent with spaces: YAML does not allow tabs"),
        (f"{TOP}layers:\n\t- relu\n", 4, "indent with spaces: YAML does not allow tabs"),
        ("name: net\nsource: He et al.: Net\n", 2, 'put quotes around text that contains `: `: `source: "He et al.'),
    ],
)
def test_the_line_that_must_change_is_named(text: str, line: int, help: str) -> None:
    wrong = refused(lambda: parse_document(Source("net.yaml", text)))
    assert (wrong.code, wrong.span and wrong.span.line) == ("yaml-syntax", line)
    assert help in str(wrong.help)


@pytest.mark.parametrize(
    ("layer", "written"),
    [
        ("{conv: $(min(a, b))}", "$(min(a, b))"),
        ("{conv: $max(a, 2), name: c}", "$(max(a, 2))"),
        ("[conv: $(min(max(a, 1), 8))]", "$(min(max(a, 1), 8))"),
    ],
)
def test_an_expression_is_quoted_whole(layer: str, written: str) -> None:
    text = f"{TOP}layers:\n  - {layer}\n"
    wrong = refused(lambda: parse_document(Source("net.yaml", text)))
    assert (wrong.code, wrong.span and wrong.span.line) == ("expression", 4)
    assert f'`"{written}"`' in str(wrong.help)
    parse_document(Source("net.yaml", re.sub(r"\$[^}]*?\)(?=[}\]]|, name)", f'"{written}"', text)))
