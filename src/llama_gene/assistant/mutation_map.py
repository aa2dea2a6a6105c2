"""The picture of a mutation map: a row for each letter that is written, a column for each place."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from llama_gene.assistant.variants import MutationMap
from llama_gene.pages.drawing import STYLE, svg

_INCHES_A_LETTER = 0.16
_WIDEST_INCHES = 16.0
_TICKS_LETTERS = 60
_DOT = "#222222"


def draw_mutations(found: MutationMap) -> str:
    """The effects as an inline SVG heat map; blue: more likely than the reference, red: less; a dot: the reference.

    Colours reach to the largest effect on both sides of 0, so white is no effect whatever the model.
    """
    effects = np.array(found.effects_nats).T
    reach = float(np.abs(effects).max()) or 1.0
    length, alternatives = len(found.letters), found.alternatives
    wide = min(_WIDEST_INCHES, max(3.0, 1.6 + _INCHES_A_LETTER * length))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(wide, 1.0 + 0.22 * len(alternatives)))
        axes = figure.subplots()
        axes.grid(visible=False)
        mesh = axes.pcolormesh(effects, cmap="RdBu", vmin=-reach, vmax=reach)
        own = [
            (place, alternatives.index(letter)) for place, letter in enumerate(found.letters) if letter in alternatives
        ]
        # Cells of no effect are white on light and dark pages alike, so the dots on them keep their colour.
        axes.plot(
            [place + 0.5 for place, _ in own], [row + 0.5 for _, row in own], ".", color=_DOT, markersize=3,
            linestyle="none",
        )  # fmt: skip
        axes.set_yticks(np.arange(len(alternatives)) + 0.5, list(alternatives))
        axes.invert_yaxis()
        _name_places(axes, found)
        axes.set_xlabel("letter of the reference, and its place (0-based)")
        figure.colorbar(mesh, ax=axes, label="effect, nats", pad=0.01)
        return svg(figure, describe_mutations(found), f"mutations-{found.start}-{found.letters}")


def describe_mutations(found: MutationMap) -> str:
    """The map in one sentence: the change with the strongest effect each way.

    >>> print(describe_mutations(MutationMap("dna", 7, "G", "ACGT", ((-2.0, 0.5, 0.0, -0.25),), 1)))
    Effects of 3 single changes of letters 7 to 8: strongest G7A, -2.00 nats; least against it G7C, +0.50 nats.
    """
    listed = list_changes(found)
    (low, least), (high, most) = listed[0], listed[-1]
    return (
        f"Effects of {len(listed):,} single changes of letters {found.start} to {found.start + len(found.letters)}: "
        f"strongest {low}, {least:+.2f} nats; least against it {high}, {most:+.2f} nats."
    )


def list_changes(found: MutationMap) -> list[tuple[str, float]]:
    """Every change and its effect in nats, the least likely first; `G7A` writes A for G at 7, 0-based."""
    changes = [
        (f"{own}{found.start + row}{letter}", effect)
        for row, own in enumerate(found.letters)
        for letter, effect in zip(found.alternatives, found.effects_nats[row], strict=True)
        if letter != own
    ]
    return sorted(changes, key=lambda change: change[1])


def _name_places(axes: Axes, found: MutationMap) -> None:
    """Every letter of a short window, every tenth place of a long one."""
    places = range(len(found.letters))
    if len(found.letters) > _TICKS_LETTERS:
        places = range(-found.start % 10, len(found.letters), 10)
        axes.set_xticks([place + 0.5 for place in places], [str(found.start + place) for place in places])
        return
    numbers = [found.start + place if place == 0 or (found.start + place) % 10 == 0 else "" for place in places]
    names = [f"{letter}\n{number}" for letter, number in zip(found.letters, numbers, strict=True)]
    axes.set_xticks([place + 0.5 for place in places], names)
