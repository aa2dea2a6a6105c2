"""Plots as inline SVG that take their colours from the page, so light and dark both fit.

matplotlib draws with stand-in colours; `svg` swaps them for the page's CSS variables, keeps text as text and drops
what an HTML page does not need (XML header, metadata with outside addresses).
"""

import io
import re
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

INK, GRID, FIRST, SECOND, THIRD, ON_FIRST = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    INK: "var(--ink)",
    GRID: "var(--line)",
    FIRST: "var(--ours)",
    SECOND: "var(--kmer)",
    THIRD: "var(--majority)",
    ON_FIRST: "var(--on-ours)",
}
STYLE = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


def svg(figure: Figure, description: str, salt: str, box: str | None = "tight") -> str:
    """The figure as an `<svg>` element with a spoken description; box None keeps the figure's own margins."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", bbox_inches=box, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", text)
    text = re.sub(r"font: ([\d.]+px) inherit", r"font-size: \1", text)
    text = re.sub(r"(<svg[^>]*?) width=\"([\d.]+)pt\"", r'\1 style="max-width: \2pt"', text, count=1)
    text = re.sub(r"(<svg[^>]*?) height=\"[\d.]+pt\"", r"\1", text, count=1)
    # One picture's ids must not meet another's on the same page.
    prefix = re.sub(r"\W+", "-", salt)
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'href="#', f'href="#{prefix}-', text)
    text = re.sub(r"url\(#", f"url(#{prefix}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    spoken = escape(description, quote=True)
    return text.replace("<svg", f'<svg role="img" aria-label="{spoken}"', 1)
