"""Files at the limits of what is read, each against one way to spend a processor's time or a machine's memory.

Too long to be kept as files, and all of them valid YAML: what they are up to is said by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

HEAD = 'cloudburst: 1\nname: hostile\nworker: {directory: model, entrypoint: "model:run"}\n'


def _block(text: str) -> str:
    return f"{HEAD}parameters:\n{text}\n"


def _grid(text: str) -> str:
    return _block(f"  grid: {{{text}}}")


def _derive(*expressions: str, rows: int = 1) -> str:
    """`d0`, `d1`, …, each an expression over x."""
    listed = "".join(f'\n    d{n}: "{one}"' for n, one in enumerate(expressions))
    return _block(f"  grid: {{x: {{from: 1, to: {rows}, step: 1}}}}\n  derive:{listed}")


def _sample(method: str, n: int, of: str, more: str = "") -> str:
    count = "trajectories" if method == "morris" else "n"
    return _block(f"  sample: {{method: {method}, {count}: {n}, {more}of: {{{of}}}}}")


def _map(entries: Iterable[str]) -> str:
    return "{" + ", ".join(entries) + "}"


def _square(side: int) -> str:
    return f"  grid: {{x: {{from: 1, to: {side}, step: 1}}, y: {{from: 1, to: {side}, step: 1}}}}\n"


def _job(count: int, expression: str) -> str:
    """A template of so many keys, each the same expression."""
    return "job: " + _map(f'k{n}: "{{{{ {expression} }}}}"' for n in range(count)) + "\n"


_TEXT, _LIST = "'a' * 9**4", "[1] * 9**4"
_MANY, _LAST = 19_000, 10**9

HOSTILE: Mapping[str, str] = {
    # ── the text ─────────────────────────────────────────────────────────────────────────────
    "one value many times": _grid(f"x: [{'1, ' * _MANY}1]"),
    "many values": _grid(f"x: [{', '.join(map(str, range(_MANY)))}]"),
    "many cases": _block("  cases:\n" + "".join(f"  - {{a: {n}, b: {n}}}\n" for n in range(3_500))),
    "many fixed": _block(f"  fixed: {_map(f'k{n}: {n}' for n in range(9_500))}"),
    "many axes": _grid(", ".join(f"a{n}: [1]" for n in range(6_000))),
    "many axes beside a long one": _grid(", ".join(f"a{n}: [1]" for n in range(4_000)) + f", z: [{'1, ' * 7000}2]"),
    "many blocks": HEAD + "parameters:\n" + '- {grid: {x: {from: 1, to: 9999, step: 1}}, derive: {d: "x * 2"}}\n' * 900,
    "many unknown keys": HEAD + "".join(f"k{n}: {n}\n" for n in range(20_000)),
    "many keys unknown deeper": _block("  grid:\n" + "".join(f"    k{n}: {{vlaues: [1]}}\n" for n in range(4_000))),
    "one key again and again": _block("  fixed:\n" + "    a: 1\n" * 20_000),
    "many tags": _block(f"  fixed: {{a: [{'!x 1, ' * 20_000}]}}"),
    "many traps": _block(f"  fixed: {_map(f'a{n}: NO' for n in range(9_000))}"),
    "names given twice": _block(f"  fixed: {_map(f'a{n}: 1' for n in range(3_500))}\n  grid: {_map(f'a{n}: [1]' for n in range(3_500))}"),
    "aliases of long lists": _block(f"  fixed:\n    b0: &b0 [{'1, ' * 1000}]\n    b1: [{'*b0, ' * 17}]"),
    "a long text": _block("  fixed: {a: " + "x" * 950_000 + "}"),
    "a long text, often": _block("  fixed: {a: " + "x" * 500_000 + "}\n  cases: [{n: 1}]") + _job(4_000, "a"),
    "many empty lines": _block("  fixed: {a: 1}" + "\n" * 950_000),
    "many comments": _block("  fixed: {a: 1}\n" + "#\r\n" * 310_000),
    "many results": HEAD + "parameters: {grid: {x: [1]}}\nresults:\n" + "".join(f"- table: {{path: a{n}.csv}}\n" for n in range(3_500)),
    "many inputs": HEAD + "parameters: {grid: {x: [1]}}\ninputs:\n" + "".join(f"  a{n}: no{n}\n" for n in range(9_500)),
    "a pattern with many stars": _grid('x: {glob: "**/**/**/**/**/**/*"}'),
    "a path that is too long": f"extends: {'a-' * 3000}b\n{HEAD}",
    # ── patterns ─────────────────────────────────────────────────────────────────────────────
    **{
        f"{what} of {word!r}": HEAD.replace(old, new.replace("@", word * 30_000 + "!")) + "parameters: {grid: {x: [1]}}\n"
        for word in ("a", "a-", "a.", "a/", "a--", "1", " ")
        for what, old, new in (
            ("an entrypoint", "model:run", "@"),
            ("an image", "{dir", '{image: "@", dir'),
            ("a duration", "{dir", '{timeout: "@", dir'),
        )
    },
    # ── expressions ──────────────────────────────────────────────────────────────────────────
    "powers of powers": _derive("(9**9)**9**9", "9**9**9", "2**9999"),
    "a long product": _derive("'a' * 10**9", "[1] * 10**9", "[[1] * 99] * 10**4"),
    "long sums": _derive(" + ".join([_TEXT] * 150), " + ".join([_LIST] * 150)),
    "long joins": _derive(" ~ ".join([_TEXT] * 150)),
    "lists of lists": _derive(f"[{', '.join([_LIST] * 120)}]"),
    "texts compared on many rows": _derive(" and ".join([f"{_TEXT} == {_TEXT}"] * 60), rows=2000),
    "lists compared on many rows": _derive(" and ".join([f"{_LIST} == {_LIST}"] * 60), rows=2000),
    "texts that double": _derive("'ab' * 99", *(f"d{n} ~ d{n}" for n in range(60))),
    "lists that nest": _derive("[x]", *(f"[d{n}]" for n in range(300))),
    "many expressions": _derive(*(f"x + {n}" for n in range(9_000))),
    "long expressions": _derive(*("+".join(["x"] * 400) + f" + {n}" for n in range(200))),
    **{
        f"deep: {start}": _derive(start * depth + "1" + end * depth)
        for start, end in (("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("1 if x else ", ""), ("abs(", ")"))
        for depth in (240, 900)
    },
    **{f"long: {sign}": _derive("x" + f"{sign}x" * 480) for sign in ("+", "~", "<", " and ", "|abs if 1 else ", "[0]", ".a")},
    "wide jobs": _block("  grid: {x: {from: 1, to: 2000, step: 1}}") + _job(4_000, "x"),
    "jobs of long texts": _block("  grid: {x: [1, 2]}") + _job(900, _TEXT),
    # ── points ───────────────────────────────────────────────────────────────────────────────
    "conditions on many points": _block(_square(450) + "  exclude:\n" + "".join(f'  - where: "x + y == {n}"\n' for n in range(50))),
    "literals on many points": _block(_square(450) + "  exclude:\n" + "".join(f"  - {{x: {n}, y: 1}}\n" for n in range(50))),
    "a condition on very many points": _block(_square(9_999) + '  exclude: [{where: "x + y == 7"}]'),
    "a shuffle of very many points": _block(_square(9_999) + '  exclude: [{where: "x == y"}]\n  order: {shuffle: 1}\n  take: 3'),
    "a bound on very many points": _grid('x: {from: 1, to: 9999, step: 1}, y: {from: 1, to: 999, step: 1}, z: {from: 1, to: "x + y", step: 1}'),
    "endless ranges": _grid(f"x: {{from: 1, to: {_LAST}, step: 1}}, y: {{from: 0, to: 1e308, step: 1e-300}}, z: {{from: 1, to: 1e300, count: {_LAST}, scale: log}}"),
    "an endless zip": _block(f"  zip: [{{x: {{from: 1, to: {_LAST}, step: 1}}, y: {{from: 1, to: {_LAST}, step: 1}}}}]"),
    "an endless walk": _block(f"  oat: {{centre: {{x: 1}}, steps: {{x: {{from: 2, to: {_LAST}, step: 1}}}}}}"),
    "endless replicates": _block(f"  grid: {{x: [1]}}\n  replicates: {_LAST}"),
    # ── samples ──────────────────────────────────────────────────────────────────────────────
    **{
        f"{method}, {what}": _sample(method, n, of)
        for method in ("random", "lhs", "sobol", "halton", "saltelli")
        for what, n, of in (
            ("very many normal ones", 1 << 23, "x: {normal: [0, 1]}, y: {lognormal: {mu: 0, sigma: 1}}"),
            ("very many of the library", 1 << 23, "x: {gamma: [2, 1]}"),
            ("endless", 1 << 40, "x: {uniform: [0, 1]}"),
            ("wide", 4096, "x: {uniform: [0, 1], size: 500}"),
        )
    },
    "wide morris": _sample("morris", 100, "x: {uniform: [0, 1], size: 9000}, y: {uniform: [0, 1]}"),
    "wide latin": _sample("lhs", 1 << 30, "x: {uniform: [0, 1], size: 9999}"),
    "wider than wide": _sample("lhs", 4, ", ".join(f"x{n}: {{uniform: [0, 1], size: 10000}}" for n in range(99))),
    "many draws": _sample("lhs", 1000, ", ".join(f"x{n}: {{normal: [0, 1]}}" for n in range(3_000))),
    "many correlated": _sample("lhs", 10**6, "x: {normal: [0, 1]}, y: {uniform: [0, 1]}", "correlate: {x: {y: 0.5}}, "),
    "a long chain of correlations": _sample(
        "lhs",
        1000,
        ", ".join(f"x{n}: {{uniform: [0, 1]}}" for n in range(301)),
        f"correlate: {_map(f'x{n}: {{x{n + 1}: 0.9}}' for n in range(300))}, ",
    ),
    "impossible correlations": _sample(
        "lhs",
        1000,
        ", ".join(f"x{n}: {{uniform: [0, 1]}}" for n in range(60)),
        f"correlate: {_map(f'x{n}: {{x{n + 1}: 0.9, x{n + 2}: -0.9}}' for n in range(58))}, ",
    ),
    "a wide poisson": _sample("lhs", 1000, "x: {poisson: 1e9}"),
    **{
        f"slow in the library: {said}": _sample("lhs", 1000, f"x: {{scipy: {{name: {said}}}}}")
        for said in ("zipf, a: 1.0001", "levy_stable, alpha: 1.5, beta: 0.5", "studentized_range, k: 3, df: 10", "kstwo, n: 100000")
    },
    "long names": _sample("lhs", 2, f"x: {{uniform: [0, 1], names: [{', '.join(f'J{n}' for n in range(9_900))}]}}"),
}  # fmt: skip
