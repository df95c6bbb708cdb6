"""What a report says, without how it looks: builders make documents, writers turn them into text or Markdown.

Texts are as they came: names, messages and sources of a target are hostile. Writers make them harmless, each for its
format, so that no builder can forget to. A part of a sentence between backticks is code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from math import isfinite

from reprocheck.model import MetricSummary, StepGrid


class Role(Enum):
    """What a piece of text means. Writers choose a colour or a weight; the words say the same without it."""

    SUCCESS = auto()
    ERROR = auto()
    WARNING = auto()
    NOTE = auto()
    STRONG = auto()
    CODE = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text with a meaning."""

    text: str
    role: Role


Text = str | Span | tuple[str | Span, ...]
"""One line."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows."""

    text: Text


@dataclass(frozen=True, slots=True)
class Headline:
    """The line that a reader in a hurry reads."""

    word: Span
    target: str
    text: Text
    limits: str = ""
    """What the word does not hold for."""


@dataclass(frozen=True, slots=True)
class Note:
    """`= help: text`. At the margin of a diagnostic, unless it is indented by so many blanks."""

    label: str
    text: Text
    indent: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """`--> train.py:41`, in a diagnostic. `mark` is another for a place in another revision."""

    text: Text
    line: int = 0
    mark: str = "-->"


@dataclass(frozen=True, slots=True)
class Source:
    """A source line behind a gutter, in a diagnostic."""

    line: int
    code: str
    mark: tuple[int, int] | None = None
    """Which of its characters are meant: the first, and the one after the last."""


@dataclass(frozen=True, slots=True)
class Change:
    """A source line as it is and as it could be, in a diagnostic."""

    line: int
    before: str
    after: str
    works: bool = False
    """Runs agreed with it. In Markdown it is a suggestion then, which GitHub offers to apply in a review."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Lines of a patch, as `git apply` takes them."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """The last lines that a run wrote."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Across:
    """A row of a table that is one text."""

    text: Text
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, nothing cut. Those in `right` hold numbers."""

    rows: tuple[tuple[Text, ...] | Across, ...]
    head: tuple[Text, ...] = ()
    right: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyValues:
    """A name and what belongs to it, a row each."""

    rows: tuple[tuple[str, Text | Table], ...]


@dataclass(frozen=True, slots=True)
class Plots:
    """Metrics over seeds, drawn where somebody looks; a table says the same."""

    metrics: tuple[MetricSummary, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """Runs by steps and kinds, drawn on a page alone; where the first difference is stands in words elsewhere."""

    grids: tuple[StepGrid, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a drawing."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """Lines over steps on a logarithmic scale, drawn where somebody looks; a table says the same. Values of 0 and those
    that are not finite are left out."""

    title: str
    x: str
    lines: tuple[Line, ...]
    band: tuple[tuple[float, float, float], ...] = ()
    """x, and two values, about the last line."""

    @property
    def shown(self) -> tuple[Line, ...]:
        """The lines without what has no place in the drawing, those that are empty then left out."""
        kept = (Line(line.label, tuple((x, y) for x, y in line.points if y > 0 and isfinite(y))) for line in self.lines)
        return tuple(line for line in kept if line.points)


@dataclass(frozen=True, slots=True)
class Gap:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands behind the gutter of a diagnostic."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Indented:
    """What belongs to the line above."""

    blocks: tuple[Block, ...]
    by: int = 2


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A finding in cargo's grammar: a head, the place, the source line behind a gutter, evidence, notes, help."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """Another document for who wants more."""

    document: Document


@dataclass(frozen=True, slots=True)
class Fold:
    """What few look for, behind a line that says it in short: on a page to open, in a text with -v in its place."""

    line: Text
    blocks: tuple[Block, ...]


Block = (
    Text
    | Heading
    | Headline
    | Note
    | Place
    | Source
    | Change
    | Output
    | Patch
    | Table
    | KeyValues
    | Plots
    | Curves
    | Steps
    | Gap
    | Evidence
    | Indented
    | Diagnostic
    | Details
    | Fold
)


@dataclass(frozen=True, slots=True)
class Document:
    """Sections, of which each is a paragraph."""

    title: str
    sections: tuple[tuple[Block, ...], ...]
    about: tuple[Text, ...] = ()
    """What a page says under its title: how the answer was made. Texts say it in their sections."""


def document(title: str, *sections: Iterable[Block], about: Iterable[Text] = ()) -> Document:
    """The document of those sections that hold something."""
    return Document(title, tuple(tuple(kept) for section in sections if (kept := list(section))), tuple(about))


def opening(whole: Document) -> Document:
    """The verdict and the first diagnostic, a line each."""
    lines: list[Block] = []
    for block in (block for section in whole.sections for block in section):
        if not lines and not isinstance(block, Diagnostic):
            lines.append(block)
        elif isinstance(block, Diagnostic):
            lines += _in_short(block, why=not lines)
            break
    return document(whole.title, lines)


def _in_short(block: Diagnostic, *, why: bool) -> list[Block]:
    head = block.blocks[0] if isinstance(block.blocks[0], str | Span | tuple) else ""
    place = next((one.text for one in block.blocks if isinstance(one, Place)), "")
    line: list[Block] = [tuple(piece for text in (head, "  " if place else "", place) for piece in _pieces(text))]
    reason = next((one for one in block.blocks if isinstance(one, Note) and one.label == "why"), None)
    return [*line, *([f"why: {bare(reason.text)}"] if why and reason is not None else [])]


def _pieces(text: Text) -> tuple[str | Span, ...]:
    return text if isinstance(text, tuple) else (text,)


def bare(text: Text) -> str:
    """Without what its pieces mean."""
    return "".join(map(bare, text)) if isinstance(text, tuple) else text if isinstance(text, str) else text.text


def indented(blocks: Iterable[Block]) -> list[Block]:
    """Nothing for nothing."""
    kept = tuple(blocks)
    return [Indented(kept)] if kept else []


def evidence(blocks: Iterable[Block]) -> list[Block]:
    """Nothing for nothing."""
    kept = tuple(blocks)
    return [Evidence(kept)] if kept else []


MOST_TAIL_LINES = 15
"""Shown of what a run wrote last."""


def output(text: str) -> list[Block]:
    """The end of what a run wrote; nothing for nothing."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-MOST_TAIL_LINES:]
    return [Indented((Output(tuple(lines)),))] if lines else []


def fatal(word: str, target: str, *body: Block) -> Diagnostic:
    """The head of a report without a verdict."""
    return Diagnostic((Span(f"fatal: {word}", Role.ERROR), Place(target), *body))


def no_verdict(target: str, why: str, tail: str) -> Diagnostic:
    """The head of a report whose one run gave no evidence: why, and what it wrote last."""
    return fatal("no verdict reached", target, Note("why", why), *output(tail))
