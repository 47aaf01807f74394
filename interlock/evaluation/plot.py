"""Draws a comparison: what a case costs against how many pass. An SVG of plain shapes, without a library."""

from xml.sax.saxutils import escape

from interlock.evaluation.comparison import Comparison, Entrant

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 60
TICKS = 5


def draw(comparison: Comparison) -> str:
    """The plot as SVG: a full dot for a variant that no other beats, an empty one for the rest.

    The vertical line through a dot is the 95 % interval of its pass rate.
    """
    most = max((comparison.spend(each) for each in comparison.entrants), default=0.0) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 20, f"{comparison.suite}: {comparison.cases} cases", size=14),
        *_axes(comparison, most),
        *(shape for each in comparison.entrants for shape in _dot(comparison, each, most)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(comparison: Comparison, most: float) -> list[str]:
    shapes: list[str] = []
    for tick in range(TICKS + 1):
        share = tick / TICKS
        x, y = _x(share), _y(share)
        shapes += [
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>',
            _text(LEFT - 8, y + 4, f"{share:.0%}", anchor="end"),
            _text(x, HEIGHT - BOTTOM + 18, f"{share * most:.3g}", anchor="middle"),
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    shapes.append(_text(middle, HEIGHT - 18, f"{comparison.unit} per case", anchor="middle"))
    shapes.append(_text(LEFT, TOP - 8, "cases passed"))
    return shapes


def _dot(comparison: Comparison, entrant: Entrant, most: float) -> list[str]:
    x, y = _x(comparison.spend(entrant) / most), _y(entrant.rate)
    low, high = entrant.interval
    beaten = comparison.beaten_by(entrant)
    fill, ink = ("white", "#888") if beaten else ("#1f5fa8", "#1f5fa8")
    note = f" (beaten by {beaten})" if beaten else ""
    return [
        f'<line x1="{x:.1f}" y1="{_y(low):.1f}" x2="{x:.1f}" y2="{_y(high):.1f}" stroke="{ink}"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{fill}" stroke="{ink}" stroke-width="2"/>',
        _text(x + 10, y + 4, f"{entrant.name} {entrant.rate:.0%}{note}"),
    ]


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - RIGHT - LEFT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
