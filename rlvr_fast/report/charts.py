"""Inline SVG for the page: the charts, and the lines, areas and texts that make them up.

Text is sized for a plot 440 units wide, the width of a phone's screen; on a desktop two charts
stand side by side. Colours come from the page's style sheet, so that one drawing serves the light
and the dark page; shapes, dashes and hatching carry the same meaning as the colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from markupsafe import Markup

from rlvr_fast.metrics import AccuracyHistogram
from rlvr_fast.report.problems import FloatArray, IntArray
from rlvr_fast.shown_text import svg
from rlvr_fast.vocabulary import REGION_KEYS, REGIONS

__all__ = [
    "cost_chart",
    "cover_chart",
    "histogram_chart",
    "log2_axis",
    "pass_chart",
    "region_chart",
    "taxonomy_chart",
]

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 40
WORD = {region.key: region.word for region in REGIONS}


def _svg(body: Sequence[str], label: str, *, height: int = HEIGHT, kind: str = "") -> Markup:
    # Every piece of `body` is built from numbers and from text passed through `shown_text.svg`.
    return Markup(
        f'<svg class="chart {kind}" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{svg(label)}">{"".join(body)}</svg>'
    )


def _text(x: float, y: float, text: str, cls: str = "tick", anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{cls}" text-anchor="{anchor}">{svg(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{cls}"/>'


def _path(xs: Sequence[float], ys: Sequence[float], cls: str) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    return f'<polyline points="{points}" class="{cls}"/>'


def _area(xs: Sequence[float], low: Sequence[float], high: Sequence[float], cls: str) -> str:
    points = [f"{x:.1f},{y:.1f}" for x, y in zip(xs, high, strict=True)]
    points += [f"{x:.1f},{y:.1f}" for x, y in zip(reversed(xs), reversed(low), strict=True)]
    return f'<polygon points="{" ".join(points)}" class="{cls}"/>'


def short(number: float) -> str:
    """1024 as 1k, for tick labels."""
    if number >= 1024 and number % 1024 == 0:
        return f"{int(number // 1024)}k"
    return f"{number:g}"


def log2_axis(ks: IntArray) -> Callable[[float], float]:
    """X of a number of samples on the shared logarithmic axis."""
    span = max(math.log2(max(int(ks[-1]), 2)), 1e-9)
    return lambda k: LEFT + (WIDTH - LEFT - RIGHT) * math.log2(k) / span


def _k_ticks(ks: IntArray, x: Callable[[float], float]) -> list[str]:
    powers = [int(k) for k in ks if k & (k - 1) == 0]
    step = max(1, math.ceil(len(powers) / 8))
    out = [_text(x(k), HEIGHT - BOTTOM + 16, short(k)) for k in powers[::step]]
    out.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "k, samples per problem", "axis"))
    return out


def _y_grid(top: float, label: str, y: Callable[[float], float], step: float = 0.2) -> list[str]:
    out = []
    for i in range(round(top / step) + 1):
        value = step * i
        out.append(_line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"))
        out.append(_text(LEFT - 6, y(value) + 4, f"{value:.2g}", "tick", "end"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out.append(
        f'<text x="11" y="{middle:.1f}" class="axis" text-anchor="middle" '
        f'transform="rotate(-90 11 {middle:.1f})">{svg(label)}</text>'
    )
    return out


def pass_chart(
    ks: IntArray,
    base: FloatArray,
    rl: FloatArray,
    *,
    name: str,
    bands: Mapping[str, tuple[FloatArray, FloatArray]],
    crossover: float | None = None,
) -> Markup:
    """pass@k of both models against log2 k, with their bands (low, high) and the crossover."""
    if not ks.size:
        return Markup("")
    x = log2_axis(ks)
    values = np.concatenate([base, rl, *(high for _, high in bands.values())])
    highest = np.nanmax(values) if np.isfinite(values).any() else 1.0
    step = 0.2 if highest > 0.4 else 0.1 if highest > 0.1 else 0.02
    top = max(step, step * math.ceil(highest / step - 1e-9))
    y = _linear(top)
    body = _y_grid(top, "pass@k", y, step) + _k_ticks(ks, x)
    xs = [x(int(k)) for k in ks]
    for side, (low, high) in bands.items():
        ok = np.isfinite(low) & np.isfinite(high)
        body.append(
            _area(
                [v for v, keep in zip(xs, ok, strict=True) if keep],
                [y(min(v, top)) for v in low[ok]],
                [y(min(v, top)) for v in high[ok]],
                f"band {side}",
            )
        )
    if crossover is not None and ks[0] <= crossover <= ks[-1]:
        at = x(crossover)
        body.append(_line(at, TOP, at, HEIGHT - BOTTOM, "cross"))
        side = "end" if at > WIDTH / 2 else "start"
        body.append(
            _text(at + (-5 if side == "end" else 5), HEIGHT - BOTTOM - 6, "k*", "note", side)
        )
    body.append(_line(0, TOP, 0, HEIGHT - BOTTOM, "kline"))
    for side, curve in (("base", base), ("rl", rl)):
        ok = np.isfinite(curve)
        px = [v for v, keep in zip(xs, ok, strict=True) if keep]
        py = [y(v) for v in curve[ok]]
        body.append(_path(px, py, f"curve {side}"))
        body += [_marker(side, a, b) for a, b in zip(px, py, strict=True)]
    first, last = (f"{base[i]:.3f} base, {rl[i]:.3f} RL" for i in (0, -1))
    label = f"pass@k curves, {name}: at k={ks[0]} {first}; at k={ks[-1]} {last}."
    return _svg(body, label, kind="passchart")


def cover_chart(taus: FloatArray, base: FloatArray, rl: FloatArray, *, name: str) -> Markup:
    """Cover@tau of both models against tau: steps that fall where tau m is a whole number."""

    def x(tau: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * tau

    y = _linear(1.0)
    body = _y_grid(1.0, "share of problems", y)
    body += [_text(x(t), HEIGHT - BOTTOM + 16, f"{t:g}") for t in (0, 0.25, 0.5, 0.75, 1)]
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "tau, least share correct", "axis"))
    # a value holds on (tau of the entry before, its own tau]
    edges = np.repeat(np.append(0.0, taus), 2)[1:-1]
    xs = [x(float(t)) for t in edges]
    for side, values in (("base", base), ("rl", rl)):
        body.append(_path(xs, [y(float(v)) for v in np.repeat(values, 2)], f"curve {side}"))
    ends = (f"{base[i]:.3f} base, {rl[i]:.3f} RL" for i in (0, -1))
    label = "Cover@tau, {}: at the least tau {}; at tau = 1 {}.".format(name, *ends)
    return _svg(body, label)


def cost_chart(
    budgets: FloatArray,
    base: FloatArray,
    rl: FloatArray,
    *,
    name: str,
    crossing: float | None = None,
) -> Markup:
    """pass@k of both models against the tokens drawn a problem, nan where a model has no draw."""
    ok = {"base": np.isfinite(base), "rl": np.isfinite(rl)}
    if not (ok["base"].any() and ok["rl"].any()):
        return Markup("")
    first, span = float(budgets[0]), max(math.log2(float(budgets[-1] / budgets[0])), 1e-9)

    def x(tokens: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log2(tokens / first) / span

    highest = float(np.nanmax(np.concatenate([base, rl])))
    step = 0.2 if highest > 0.4 else 0.1 if highest > 0.1 else 0.02
    top = max(step, step * math.ceil(highest / step - 1e-9))
    y = _linear(top)
    body = _y_grid(top, "pass@k", y, step)
    powers = [2**i for i in range(math.ceil(math.log2(first)), 64) if 2**i <= budgets[-1]]
    for tokens in powers[:: max(1, math.ceil(len(powers) / 7))]:
        body.append(_text(x(tokens), HEIGHT - BOTTOM + 16, short(tokens)))
    middle = (LEFT + WIDTH - RIGHT) / 2
    body.append(_text(middle, HEIGHT - 6, "tokens drawn per problem (mean)", "axis"))
    if crossing is not None:
        body.append(_line(x(crossing), TOP, x(crossing), HEIGHT - BOTTOM, "cross"))
    for side, curve in (("base", base), ("rl", rl)):
        xs = [x(float(b)) for b in budgets[ok[side]]]
        ys = [y(float(v)) for v in curve[ok[side]]]
        body.append(_path(xs, ys, f"curve {side}"))
        body += [_marker(side, xs[i], ys[i]) for i in range(0, len(xs), max(1, len(xs) // 8))]
    both = np.flatnonzero(ok["base"] & ok["rl"])
    said = (
        f" at {budgets[both[-1]]:,.0f} tokens {base[both[-1]]:.3f} base, {rl[both[-1]]:.3f} RL"
        if both.size
        else " no common budget"
    )
    return _svg(body, f"pass@k against tokens drawn, {name}:{said}.", kind="costchart")


def _linear(top: float) -> Callable[[float], float]:
    return lambda v: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (v / top if top else 0.0)


def _marker(side: str, x: float, y: float) -> str:
    if side == "base":
        return (
            f'<rect x="{x - 2.6:.1f}" y="{y - 2.6:.1f}" width="5.2" height="5.2" class="dot base"/>'
        )
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="dot rl"/>'


def region_chart(
    ks: IntArray, counts: Mapping[str, FloatArray], *, problems: IntArray, name: str
) -> Markup:
    """The four regions stacked as shares of the problems, against log2 k.

    Args:
        ks: numbers of samples, rising.
        counts: expected number of problems of each region at each k.
        problems: number of problems at each k.
        name: of the group of problems, for the description.
    """
    if not ks.size:
        return Markup("")
    x, y = log2_axis(ks), _linear(1.0)
    ok = problems > 0
    shares = [counts[region] / np.maximum(problems, 1) for region in REGION_KEYS]
    xs = [x(int(k)) for k, keep in zip(ks, ok, strict=True) if keep]
    body: list[str] = []
    base = np.zeros(ks.shape)
    for region, share in zip(REGION_KEYS, shares, strict=True):
        upper = base + share
        low, high = [y(v) for v in base[ok]], [y(v) for v in upper[ok]]
        body.append(_area(xs, low, high, f"fill {region}"))
        if region in ("shrunk", "expanded"):
            body.append(_area(xs, low, high, f"hatch {region}"))
        base = upper
    body += _y_grid(1.0, "share of problems", y) + _k_ticks(ks, x)
    body += _region_names([share[ok] for share in shares], xs, y)
    body.append(_line(0, TOP, 0, HEIGHT - BOTTOM, "kline"))
    last = ", ".join(f"{region.word} {counts[region.key][-1]:.1f}" for region in REGIONS)
    return _svg(
        body, f"Regions by number of samples, {name}: at k={ks[-1]} {last}.", kind="regions"
    )


def _region_names(
    shares: list[FloatArray], xs: list[float], y: Callable[[float], float]
) -> list[str]:
    """Each region's name where the region is thickest and no other name stands in the way."""
    placed: list[tuple[float, float]] = []
    out = []
    base = np.zeros(len(xs))
    inside = [i for i, x in enumerate(xs) if LEFT + 40 <= x <= WIDTH - RIGHT - 40]
    for region, share in zip(REGIONS, shares, strict=True):
        middle = base + share / 2
        base = base + share
        for i in sorted(inside, key=lambda i: -float(share[i])):
            spot = (xs[i], y(float(middle[i])) + 4)
            clear = all(abs(spot[0] - a) > 74 or abs(spot[1] - b) > 15 for a, b in placed)
            if share[i] > 0.065 and clear:
                placed.append(spot)
                out.append(_text(*spot, f"{region.letter} {region.word}", "onfill"))
                break
    return out


def histogram_chart(base: AccuracyHistogram, rl: AccuracyHistogram, *, name: str) -> Markup:
    """Problems per accuracy bin, the two models side by side."""
    bins = len(base.bins)
    highest = int(max(base.counts.max(initial=0), rl.counts.max(initial=0), 1))
    step = _nice_step(highest)
    top = float(step * math.ceil(highest / step))
    y = _linear(top)
    body: list[str] = []
    value = 0
    while value <= top:
        body.append(_line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"))
        body.append(_text(LEFT - 6, y(value) + 4, f"{value:g}", "tick", "end"))
        value += step
    body.append(
        f'<text x="11" y="{(TOP + HEIGHT - BOTTOM) / 2:.1f}" class="axis" text-anchor="middle" '
        f'transform="rotate(-90 11 {(TOP + HEIGHT - BOTTOM) / 2:.1f})">problems</text>'
    )
    slot = (WIDTH - LEFT - RIGHT) / bins
    for i in range(bins):
        x0 = LEFT + slot * i
        for j, (side, counts) in enumerate((("base", base.counts), ("rl", rl.counts))):
            at = y(float(counts[i]))
            body.append(
                f'<rect x="{x0 + slot * (0.1 + 0.41 * j):.1f}" y="{at:.1f}" '
                f'width="{slot * 0.39:.1f}" height="{HEIGHT - BOTTOM - at:.1f}" '
                f'class="column {side}"><title>{svg(side)}, accuracy {svg(base.bins[i])}: '
                f"{int(counts[i])} problems</title></rect>"
            )
        text = {0: "0", bins - 1: "1"}.get(i, f"≤.{i}" if 0 < i < 10 else "<1")
        body.append(_text(x0 + slot / 2, HEIGHT - BOTTOM + 16, text))
    body.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "accuracy of a problem", "axis"))
    label = (
        f"Accuracy histogram, {name}: never right {base.counts[0]} base, {rl.counts[0]} RL; "
        f"always right {base.counts[-1]} base, {rl.counts[-1]} RL."
    )
    return _svg(body, label, kind="histogram")


def _nice_step(highest: int) -> int:
    for scale in range(12):
        for factor in (1, 2, 5):
            step = int(factor * 10**scale)
            if highest / step <= 5:
                return step
    return highest


def taxonomy_chart(
    base: FloatArray,
    rl: FloatArray,
    labels: Sequence[str],
    tasks: Sequence[int],
    names: Sequence[str],
    *,
    depth: int,
) -> Markup:
    """Base against RL success rate of each problem, logarithmic, with a strip for "never".

    `tasks[i]` is what the page's filter selects by; `names[i]` is shown on hover.
    """
    size, strip = 376, 30
    x0, y0, height = 54, 386, 426
    lowest = 1.0 / max(depth, 2)
    decades = -math.log10(lowest)

    def place(p: float) -> float:
        if p <= 0:
            return strip / 2
        return strip + 8 + (size - strip - 16) * (1 + math.log10(max(p, lowest)) / decades)

    body = [
        f'<rect x="{x0}" y="{y0 - size}" width="{strip}" height="{size - strip}" '
        'class="zone expanded"/>',
        f'<rect x="{x0 + strip}" y="{y0 - strip}" width="{size - strip}" height="{strip}" '
        'class="zone shrunk"/>',
        f'<rect x="{x0}" y="{y0 - strip}" width="{strip}" height="{strip}" class="zone out"/>',
        f'<rect x="{x0 + strip}" y="{y0 - size}" width="{size - strip}" height="{size - strip}" '
        'class="zone preserved"/>',
        _line(x0 + strip, y0 - strip, x0 + size, y0 - size, "diagonal"),
        _text(x0 + strip + 8, y0 - size + 16, WORD["preserved"], "zonename preserved", "start"),
        _text(x0 + size - 8, y0 - strip / 2 + 4, WORD["shrunk"], "zonename shrunk", "end"),
        f'<text x="{x0 + strip / 2 + 4}" y="{y0 - size + 10}" class="zonename expanded" '
        f'text-anchor="end" transform="rotate(-90 {x0 + strip / 2 + 4} {y0 - size + 10})">'
        f"{WORD['expanded']}</text>",
    ]
    tick = 0
    while 10.0**-tick >= lowest * 0.999:
        at = place(10.0**-tick)
        text = f"{10.0**-tick:g}" if tick < 3 else f"10{_superscript(-tick)}"
        body.append(_text(x0 + at, y0 + 15, text))
        body.append(_text(x0 - 5, y0 - at + 4, text, "tick", "end"))
        tick += 1
    body.append(_text(x0 + strip / 2, y0 + 15, "0"))
    body.append(_text(x0 - 5, y0 - strip / 2 + 4, "0", "tick", "end"))
    body.append(_text(x0 + size / 2, y0 + 34, "success rate of the base model", "axis"))
    middle = y0 - size / 2
    body.append(
        f'<text x="11" y="{middle}" class="axis" text-anchor="middle" '
        f'transform="rotate(-90 11 {middle})">success rate of the RL model</text>'
    )
    rng = np.random.default_rng(0)
    jitter = rng.uniform(-0.4, 0.4, (len(base), 2)) * strip
    points = []
    order = np.argsort([label == "preserved" for label in labels])[::-1]
    for i in order:
        b, r = float(base[i]), float(rl[i])
        if not (math.isfinite(b) and math.isfinite(r)):
            continue
        px = x0 + place(b) + (jitter[i, 0] if b <= 0 else 0)
        py = y0 - place(r) + (jitter[i, 1] if r <= 0 else 0)
        points.append(
            f'<use href="#m-{labels[i]}" x="{px:.1f}" y="{py:.1f}" class="pt {labels[i]}" '
            f'data-t="{tasks[i]}"><title>{svg(names[i])}: base {b:.3g}, RL {r:.3g}</title></use>'
        )
    body.append("<g>" + "".join(points) + "</g>")
    counts = ", ".join(f"{list(labels).count(key)} {word}" for key, word in WORD.items())
    return _svg(
        body,
        f"Success rate of every problem under both models: {counts}.",
        height=height,
        kind="taxonomy",
    )


def _superscript(number: int) -> str:
    return "".join("⁻" if ch == "-" else "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(ch)] for ch in str(number))
