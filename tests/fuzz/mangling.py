"""A file made worse: what a tired hand does to lines, what a hostile one writes into values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

LONGEST = 200_000
"""Bytes of an input; longer texts are among the pieces only where their length is the point."""

_VALUE = re.compile(rb"(?<=[:\-,\[{] )[^\s,\]}#][^,\]}\n#]*|(?<=[\[{])[^\s,\]}#][^,\]}\n#]*")
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
_EXPRESSION = re.compile(rb"(?<=\").*?(?=\")|(?<=when: )[^,}\n]+|(?<=where: )[^,}\n]+")

SYNTAX: Sequence[bytes] = [
    *(bytes([sign]) for sign in b"\n \t:-{}[],'\"|>#%&*!?@`=~\\\r\x00\x7f\x85"),
    b"  ", b"\n  ", b": ", b"- ", b"? ", b"<<: ", b"---\n", b"...\n", b"&a ", b"*a", b"!t ", b"!!binary ", b"|+\n", b">-\n",
    b"{{ x }}", b"{{", b"}}", b"{%", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\x85",
    "水é🜚ﬁ\u202e\u0301".encode(), b"%YAML 1.1\n", b"\"\\ud800\"", b"\"\\0\"",
]  # fmt: skip

VALUES: Sequence[bytes] = [
    b"null", b"true", b"NO", b"010", b"10:30", b"1,000", b".inf", b".nan", b"-.inf", b"{}", b"[]", b"''", b"[[]]", b"{a: {}}",
    b"0", b"-1", b"1e999", b"1e-999", b"1e308", b"-1e308", b"5e-324", b"1e15", b"1e16", b"9007199254740993", b"9" * 299, b"9" * 4000, b"0x" + b"f" * 200,
    b"1000000000", b"10000000", b"1000000", b"9223372036854775807", b"18446744073709551616", b"2147483648", b"0.1", b"0.30000000000000004",
    b"{from: 0, to: 1, step: 1e-9}", b"{from: 0, to: 1e308, step: 1e-300}", b"{from: 1, to: 1000000000, step: 1}",
    b"{from: 0, to: 1, count: 1000000000}", b"{from: 1e-308, to: 1e308, count: 1000000, scale: log}",
    b"{from: 1, to: 1" + b"0" * 290 + b", count: 1000, scale: log}", b"{from: x, to: x * 9, step: x}",
    b"{from: 0, to: \"10 ** 300\", step: \"1 / 7\"}", b"{from: 0, to: \"10 ** 9\", step: 1}", b"{glob: '**'}", b"{glob: '**/*/**'}", b"{glob: '../*'}",
    b"{glob: '/etc/*'}", b"{glob: '[!'}", b"{uniform: [0, 1], size: 10000000}", b"{normal: [0, 1], size: 100000}",
    b"{choice: {from: 1, to: 9999, step: 1}}", b"{integers: [0, 1" + b"0" * 290 + b"]}", b"{poisson: 1e300}", b"{truncnormal: [0, 1, 29, 30]}",
    b"{triangular: [0, 0, 5e-324]}", b"{uniform: [-1e308, 1e308]}", b"{lognormal: {mean: 1e-300, sd: 1e300}}", b"{weibull: [1e-300, 1e300]}",
    b"{gamma: [1e-300, 1e300]}", b"{beta: [1e-300, 1e300]}", b"{scipy: {name: zipf, a: 1.0000001}}", b"{scipy: {name: rv_discrete}}",
    b"{scipy: {name: levy_stable, alpha: 1.5, beta: 0.5}}", b"{scipy: {name: studentized_range, k: 3, df: 1e300}}",
    b"{scipy: {name: norm, loc: 1e308, scale: 1e308}}", b"{scipy: {name: __class__}}",
    b"1d", b"999999999.999999999d", b"2 TB", b"0 B", b"25 USD", b"100%", b"../..", b"..", b".", b"data/gcm/*.nc", b"base.yaml", b"ensemble.yaml",
    b"*a0", b"model:run", b"a:b", b"[./solve, '{{ x }}']", b"scenarios.csv", b"no.csv", b"data", b"model/model.py",
]  # fmt: skip

EXPRESSIONS: Sequence[bytes] = [
    b"9**9**9", b"(9**9)**9", b"9**9", b"(9**999)**2", b"'a' * 10**9", b"'a' * 9**6", b"[1] * 9**5", b"('a' * 9**6) ~ ('a' * 9**6)",
    b"('a' * 9**6) + ('a' * 9**6)", b"range(10**9)", b"[[[[1]*999]*999]*999]", b"x.__class__.__mro__", b"x['__class__']", b"''.join([])", b"lipsum()",
    b"(" * 200 + b"1" + b")" * 200, b"[" * 300 + b"]" * 300, b"not " * 400 + b"x", b"-" * 500 + b"1", b"+".join([b"1"] * 900), b" ~ ".join([b"'a' * 9**6"] * 400),
    b"+".join([b"'a'*9**6"] * 900), b"**".join([b"2"] * 60), b"1 if 1 else " * 300 + b"1", b"x if x", b"1/0", b"0.0/0", b"1e308*10", b"1%0", b"int('9'*4000)",
    b"float('nan')", b"float('inf')", b"int(1e308)", b"str(1)*70000", b"round(1.5, 10**9)", b"exp(1e9)", b"log(0)", b"sqrt(-1)", b"sin(1e308)", b"max()",
    b"min([])", b"min([1, 'a'])", b"abs('a')", b"'%s' % 1", b"'%999999999d' % 1", b"x|default(1)", b"x is defined", b"x is sameas(1)", b"x|list", b"{'a': x}.a",
    b"{'a': 1}['a'].b.c", b"row", b"replicate", b"inputs.city", b"job_id", b"self", b"loop", b"{% for i in x %}", b"{{ x }}", b"{# #}", b"x == 1 and y",
    b"x && y", b"x = 1", b"caller()", b"cycler(1)", b"namespace(a=1)", b"x[::0]", b"x[10**100]", b"'a'[5]", b"x.items()", b"'\\x00'", b"'\\ud800'", b"\"\\U00110000\"",
    b"1_0", b"0x" + b"f" * 2000, b"1e400", b"[x, [x, [x]]]", b"(1, 2)", b"true", b"none", b"x < y < 3 < 'a'", b"1 in x", b"'a' in 'b'", b"~".join([b"x"] * 2000),
]  # fmt: skip


def bomb(chance: Random) -> bytes:
    """Aliases of aliases: few lines, and without limits very many values."""
    width, levels = chance.choice([2, 9, 30]), chance.choice([3, 9, 40])
    lines = [b"b0: &b0 [1, 2]"]
    lines += [f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * width)}]".encode() for n in range(1, levels)]
    return b"\n".join(lines) + b"\n"


def deep(chance: Random) -> bytes:
    """Deeper than anything should be."""
    depth = chance.choice([20, 62, 63, 64, 65, 1000, 20_000])
    way = chance.randrange(4)
    if way == 0:
        return b"[" * depth + b"]" * depth
    if way == 1:
        return b"{a: " * depth + b"1" + b"}" * depth
    if way == 2:
        return b"- " * depth + b"1"
    return b"".join(b" " * place + b"k:\n" for place in range(min(depth, 300)))


def long(chance: Random) -> bytes:
    """Much of one thing."""
    size = chance.choice([100, 3000, 40_000])
    return chance.choice(
        [
            b"a" * size,
            b'"' + b"\\u6c34" * (size // 6) + b'"',
            b"'" + b"''" * (size // 2) + b"'",
            b"[" + b"1, " * (size // 3) + b"]",
            b"{" + b"".join(f"k{n}: {n}, ".encode() for n in range(size // 10)) + b"}",
            b"[" + b"'{{ x }}', " * (size // 11) + b"]",
            b'"' + b"{{ x }}" * (size // 7) + b'"',
            b"a-" * (size // 2) + b"!",
            b"1" * size,
            b" " * size,
            b"\n" * size,
            b"#" * size + b"\n",
            b"9" * 200 + b"." + b"9" * size + b"e9",
        ]
    )


# ── what is done to a file ───────────────────────────────────────────────────────────────────
Change = Callable[[list[bytes], Random, Sequence[bytes]], None]
"""Changes lines (with their ends) in place; other files are there to be taken from."""


def _some_lines(lines: list[bytes], chance: Random) -> slice:
    start = chance.randrange(len(lines))
    return slice(start, start + chance.choice([1, 1, 1, 2, 5]))


def _delete(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    del lines[_some_lines(lines, chance)]


def _double(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    part = _some_lines(lines, chance)
    lines[part.start : part.start] = lines[part] * chance.choice([1, 1, 3, 50])


def _move(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    part = _some_lines(lines, chance)
    moved = lines[part]
    del lines[part]
    place = chance.randint(0, len(lines))
    lines[place:place] = moved


def _indent(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    by = chance.choice([-4, -2, -1, 1, 2, 4, 30])
    for place in range(*_some_lines(lines, chance).indices(len(lines))):
        line = lines[place]
        lines[place] = b" " * by + line if by > 0 else line[min(-by, len(line) - len(line.lstrip(b" "))) :]


def _insert(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    _edit(lines, chance, lambda line, at: line[:at] + chance.choice(SYNTAX) + line[at:])


def _cut(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    _edit(lines, chance, lambda line, at: line[:at] + line[at + chance.choice([1, 2, 8]) :])


def _byte(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    _edit(lines, chance, lambda line, at: line[:at] + bytes([chance.randrange(256)]) + line[at + 1 :])


def _edit(lines: list[bytes], chance: Random, change: Callable[[bytes, int], bytes]) -> None:
    place = chance.randrange(len(lines))
    lines[place] = change(lines[place], chance.randint(0, len(lines[place])))


def _put(pattern: re.Pattern[bytes], make: Callable[[Random, Sequence[bytes]], bytes]) -> Change:
    """In place of something that matches, if there is anything."""

    def put(lines: list[bytes], chance: Random, others: Sequence[bytes]) -> None:
        for place in chance.sample(range(len(lines)), min(8, len(lines))):
            if found := list(pattern.finditer(lines[place])):
                one = chance.choice(found)
                lines[place] = lines[place][: one.start()] + make(chance, others) + lines[place][one.end() :]
                return

    return put


def _of_another(chance: Random, others: Sequence[bytes]) -> bytes:
    found = _VALUE.findall(chance.choice(others)) if others else []
    return chance.choice(found) if found else b"1"


def _splice(lines: list[bytes], chance: Random, others: Sequence[bytes]) -> None:
    if others and (taken := chance.choice(others).splitlines(keepends=True)):
        place = chance.randint(0, len(lines))
        lines[place:place] = taken[_some_lines(taken, chance)]


def _add(lines: list[bytes], chance: Random, _: Sequence[bytes]) -> None:
    piece = chance.choice([bomb, deep, long])(chance)
    place = chance.randint(0, len(lines))
    lines[place:place] = [chance.choice([b"", b"extra: ", b"  x: "]) + piece + b"\n"]


def _expression(chance: Random, _: Sequence[bytes]) -> bytes:
    return chance.choice(EXPRESSIONS)


def _quoted(chance: Random, _: Sequence[bytes]) -> bytes:
    text = chance.choice(EXPRESSIONS)
    wrapped = b"{{ " + text + b" }}" if chance.random() < 0.4 else text
    return b"'" + wrapped.replace(b"'", b"''") + b"'"


CHANGES: Sequence[Change] = [
    _delete, _double, _move, _indent, _insert, _insert, _cut, _byte, _splice, _splice, _add,
    _put(_VALUE, lambda chance, _: chance.choice(VALUES)),
    _put(_VALUE, lambda chance, _: chance.choice(VALUES)),
    _put(_VALUE, _of_another),
    _put(_VALUE, lambda chance, _: chance.choice([bomb, deep, long])(chance).replace(b"\n", b" ")),
    _put(_VALUE, _quoted),
    _put(_NUMBER, lambda chance, _: chance.choice(VALUES)),
    _put(_NUMBER, lambda chance, _: str(chance.choice([0, -1, 1, 2, 63, 64, 65, 1000, 10**6, 10**9, 10**18]) + chance.randint(-2, 2)).encode()),
    _put(_EXPRESSION, _expression),
]  # fmt: skip


def mangled(data: bytes, chance: Random, others: Sequence[bytes] = ()) -> bytes:
    """One to four changes, mostly to lines or values."""
    for _ in range(chance.choice([1, 1, 2, 2, 3, 4])):
        lines = data.splitlines(keepends=True) or [b"\n"]
        chance.choice(CHANGES)(lines, chance, others)
        data = b"".join(lines)[:LONGEST]
    return data
