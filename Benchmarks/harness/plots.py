"""Draws what was measured as SVG files, with nothing but text.

They show lines over a logarithmic axis, readable in light and in dark.
"""

import html
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 130, 46, 52
COLORS = ("#1f77b4", "#d95f02", "#2a9d5c", "#b0478f", "#8a6d3b")
MARKS = ("", "6 3", "2 3", "8 3 2 3", "1 2")

# name: file, title, what x is, what y is, whether y is logarithmic
PLOTS = {
    "cpu": (
        "cost-of-a-call.svg", "CPU of each call, by calls at once (paced, WAV)",
        "calls at once", "CPU seconds per hour of a call", False),
    "memory": (
        "memory-of-calls.svg", "Memory of the server, by calls at once (paced, WAV)",
        "calls at once", "MB in memory", True),
    "long-call": (
        "memory-of-a-long-call.svg", "Memory of the server during one long call (WAV)",
        "minutes of audio", "MB in memory", False),
    "start": (
        "start.svg", "Start, by published recordings",
        "recordings in the archive", "milliseconds from exec", True),
    "answers": (
        "answers.svg", "Answers, by published recordings",
        "recordings in the archive", "milliseconds, median", True),
}
STYLE = """
    .paper { fill: #ffffff } .text { fill: #24292f } .faint { stroke: #d0d7de } .axis { stroke: #57606a }
    text { font: 12px system-ui, sans-serif } .title { font-size: 14px; font-weight: 600 }
    @media (prefers-color-scheme: dark) {
      .paper { fill: #0d1117 } .text { fill: #e6edf3 } .faint { stroke: #30363d } .axis { stroke: #8b949e }
    }"""


def decades(low, high):
    """1, 2 and 5 of each power of ten between two numbers, and the next one on either side."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
    begin = max((step for step in steps if step <= low), default=steps[0])
    end = min((step for step in steps if step >= high), default=steps[-1])
    return [step for step in steps if begin <= step <= end] if end > begin else [begin, begin * 10]


def even_steps(high):
    """From nothing to at least a number, in steps of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(high / 4))
    step = next(power * digit for digit in (1, 2, 5, 10) if high / (power * digit) <= 6)
    return [step * index for index in range(math.ceil(high / step) + 1)]


class Axis:
    """Where a number stands on the paper."""

    def __init__(self, values, begin, end, is_logarithmic):
        self.is_logarithmic = is_logarithmic
        low, high = min(values), max(values)
        self.ticks = decades(max(low, 1e-3), max(high, 2e-3)) if is_logarithmic else even_steps(max(high, 1e-3))
        self.begin, self.end = begin, end

    def place(self, value):
        """Where a number stands, in units of the drawing."""
        low, high = self.ticks[0], self.ticks[-1]
        if self.is_logarithmic:
            share = (math.log10(max(value, low)) - math.log10(low)) / (math.log10(high) - math.log10(low))
        else:
            share = value / high
        return self.begin + share * (self.end - self.begin)

    def label(self, tick):
        """A step as text."""
        return f"{tick:,.0f}" if tick >= 10 or tick == int(tick) else f"{tick:g}"

    def is_labelled(self, tick):
        """On a long logarithmic axis only powers of ten have their number."""
        return not self.is_logarithmic or len(self.ticks) < 9 or math.log10(tick) % 1 < 1e-9


def spread_labels(places, gap=15):
    """Moves labels apart that would cover each other, keeping their order."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for before, after in zip(order, order[1:]):
        moved[after] = max(moved[after], moved[before] + gap)
    return moved


def draw(title, x_name, y_name, lines, y_is_logarithmic):
    """The SVG of some lines, each a list of (x, y)."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    x_axis = Axis(xs, LEFT, WIDTH - RIGHT, True)
    y_axis = Axis(ys, HEIGHT - BOTTOM, TOP, y_is_logarithmic)
    summary = "; ".join(f"{name}: {points[0][1]:.3g} at {points[0][0]:.3g}, {points[-1][1]:.3g} at {points[-1][0]:.3g}"
                        for name, points in lines.items())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{html.escape(title)}</title>", f"<desc>{html.escape(summary)}</desc>", f"<style>{STYLE}\n</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="text title" x="{LEFT}" y="24">{html.escape(title)}</text>',
    ]
    for tick in y_axis.ticks:
        y = y_axis.place(tick)
        parts.append(f'<line class="faint" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        if y_axis.is_labelled(tick):
            label = y_axis.label(tick)
            parts.append(f'<text class="text" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for tick in x_axis.ticks:
        x = x_axis.place(tick)
        parts.append(f'<line class="faint" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}"/>')
        if x_axis.is_labelled(tick):
            label, below = x_axis.label(tick), HEIGHT - BOTTOM + 18
            parts.append(f'<text class="text" x="{x:.1f}" y="{below}" text-anchor="middle">{label}</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts += [
        f'<line class="axis" x1="{LEFT}" y1="{HEIGHT - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{HEIGHT - BOTTOM}"/>',
        f'<line class="axis" x1="{LEFT}" y1="{TOP}" x2="{LEFT}" y2="{HEIGHT - BOTTOM}"/>',
        f'<text class="text" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
        f'{html.escape(x_name)}</text>',
        f'<text class="text" transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">'
        f'{html.escape(y_name)}</text>',
    ]
    labels = spread_labels([y_axis.place(points[-1][1]) for points in lines.values()])
    for index, (name, points) in enumerate(lines.items()):
        color = COLORS[index % len(COLORS)]
        path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in points)
        # Colour is not all that tells the lines apart: each has a pattern too, and its name at its end.
        marks = MARKS[index % len(MARKS)]
        parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{marks}" '
                     f'points="{path}"/>')
        if len(points) <= 12:
            parts += [f'<circle cx="{x_axis.place(x):.1f}" cy="{y_axis.place(y):.1f}" r="3" fill="{color}"/>'
                      for x, y in points]
        beside = x_axis.place(points[-1][0]) + 10
        parts.append(f'<text x="{beside:.1f}" y="{labels[index] + 4:.1f}" fill="{color}">{html.escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_all(results, folder):
    """Writes a file for every plot that has points."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in results.lines.items():
        file, title, x_name, y_name, y_is_logarithmic = PLOTS[name]
        (folder / file).write_text(draw(title, x_name, y_name, lines, y_is_logarithmic))
