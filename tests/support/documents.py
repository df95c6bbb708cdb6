"""Documents with every kind of block, filled with texts that want to be more than text."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from reprocheck.report.document import (
    Across,
    Block,
    Change,
    Curves,
    Details,
    Diagnostic,
    Document,
    Evidence,
    Fold,
    Gap,
    Heading,
    Headline,
    Indented,
    KeyValues,
    Line,
    Note,
    Output,
    Patch,
    Place,
    Plots,
    Role,
    Source,
    Span,
    Steps,
    Table,
    Text,
)
from tests.support.audits import grid, metric_over_seeds

PIECES = [
    *(
        "|",
        "`",
        "``",
        "```",
        "~~~",
        "\\",
        "*",
        "_",
        "[x](http://a.example)",
        "![x](y)",
        "<script>",
        "</details>",
        "<!--",
    ),
    *(
        "@someone",
        "#12",
        "org/repo#3",
        "https://a.example",
        "www.a.example",
        ":smile:",
        "&lt;",
        "$a$",
        "- ",
        "1. ",
        "> ",
    ),
    *(
        "\x1b[31m",
        "\x9b2J",
        "\r",
        "\n",
        "\u2028",
        "\u202e",
        "\u200b",
        "\udcff",
        "\x00",
        "# ",
        "---",
        "===",
        "    ",
        "a",
        " ",
    ),
    *("[a]: http://b.example", "::error::x", "\t", "é", "☃", "a@b.example", "++", "</code>", "^", "{", "%"),
]
HOSTILE = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=8).map("".join)
SEVERAL = st.lists(HOSTILE, min_size=1, max_size=5)


def everything(texts: list[str]) -> Document:
    """A document with every kind of block, filled with these texts by turns."""
    turns = itertools.cycle(texts)
    roles = itertools.cycle(Role)

    def line() -> Text:
        return (next(turns), Span(next(turns), next(roles)), next(turns))

    def table() -> Table:
        return Table(((line(), next(turns)), Across(line()), (line(), line())), (next(turns), line()), right=(1,))

    def blocks() -> tuple[Block, ...]:
        return (
            *(next(turns), line(), line(), Heading(line()), Note("note", line()), Place(line(), 7), Gap(), table()),
            *(
                Source(7, next(turns)),
                Source(7, next(turns), (0, 3)),
                Change(12345, next(turns), next(turns)),
                Change(1, next(turns), next(turns), works=True),
                Patch((f"-{next(turns)}", f"+{next(turns)}", next(turns))),
                Output((next(turns), next(turns))),
            ),
            Headline(Span(next(turns), next(roles)), next(turns), line(), next(turns)),
            KeyValues(((next(turns), line()), (next(turns), table()))),
            Plots((metric_over_seeds(next(turns)),)),
            Curves(
                next(turns),
                next(turns),
                (Line(next(turns), ((0, 1e-7), (5, 1e-3))),),
                ((0, 1e-8, 1e-6), (5, 1e-4, 1e-2)),
            ),
            Steps((grid(runs=(next(turns), next(turns)), rows=((next(turns), "=!?.="),)),)),
        )

    nested = (Indented((*blocks(), Evidence(blocks()))), Diagnostic((*blocks(), Evidence((Indented(blocks()),)))))
    folded = Fold(line(), (*blocks(), Indented(blocks())))
    inner = Document(next(turns), (blocks(), nested, (folded,), *((block,) for block in blocks())))
    return Document(next(turns), (*inner.sections, (Details(inner),)))
