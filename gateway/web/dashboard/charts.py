"""Charts of the last hour, as SVG that a page carries: no script draws them.

Shapes have classes, and static/dashboard.css their colours. What a chart says, its label says in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 600, 100
"""Of the drawing; the page stretches it."""

Values = Sequence[float | None]
"""One for each minute, oldest first; None: nobody knows."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one colour tells."""

    name: str
    look: str
    """Its class."""
    values: Values


def bars(title: str, series: Sequence[Series], unit: str = "") -> Markup:
    """A bar for each minute, the series on top of each other."""
    sums = [
        sum(value or 0 for value in minute)
        for minute in zip(*(s.values for s in series), strict=True)
    ]
    top = max(sums, default=0) or 1
    step = WIDTH / max(1, len(sums))
    drawn: list[str] = []
    floor = [0.0] * len(sums)
    for each in series:
        for place, value in enumerate(each.values):
            if value:
                size = HEIGHT * value / top
                y = HEIGHT - floor[place] - size
                drawn.append(
                    f'<rect class="{each.look}" x="{place * step + 0.5:.1f}" y="{y:.1f}"'
                    f' width="{step - 1:.1f}" height="{size:.1f}"/>'
                )
                floor[place] += size
    return _figure(title, series, "".join(drawn), max(sums, default=0), unit)


def lines(title: str, series: Sequence[Series], unit: str = "") -> Markup:
    """A line for each series, broken where nothing is known."""
    known = [value for each in series for value in each.values if value is not None]
    top = max(known, default=0) or 1
    drawn = "".join(f'<path class="{s.look}" d="{_path(s.values, top)}"/>' for s in series)
    return _figure(title, series, drawn, max(known, default=0), unit)


def spark(label: str, look: str, values: Values) -> Markup:
    """A small line in a row of a table."""
    top = max((value for value in values if value is not None), default=0) or 1
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<path class="{}" d="{}"/></svg>'
    ).format(label, WIDTH, HEIGHT, look, Markup(_path(values, top)))  # noqa: S704  # numbers


def _path(values: Values, top: float) -> str:
    step = WIDTH / max(1, len(values) - 1)
    parts: list[str] = []
    pen = "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        y = HEIGHT - (HEIGHT - 4) * value / top - 2
        parts.append(f"{pen}{place * step:.1f} {y:.1f}")
        if pen == "M":  # a lone point is seen too
            parts.append(f"h{min(step, 6):.1f}")
        pen = "L"
    return "".join(parts)


def _figure(title: str, series: Sequence[Series], drawn: str, most: float, unit: str) -> Markup:
    top = f"{written(most)}{unit}"
    label = f"{title}, each minute of the last hour; at most {top}."
    legend = Markup("").join(
        Markup('<span class="key {}">{}</span>').format(each.look, each.name) for each in series
    )
    return Markup(
        '<figure class="chart"><figcaption>{} {}</figcaption>'
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
        '<div class="axis"><span>1 h ago</span><span>at most {}</span><span>now</span></div></figure>'
    ).format(title, legend, label, WIDTH, HEIGHT, Markup(drawn), top)  # noqa: S704  # numbers and classes


def written(value: float) -> str:
    """A number, short."""
    if value >= 10_000:
        return f"{value / 1000:,.0f} k"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
