"""What the panel says of the values of a parameter, once they are read."""

from collections.abc import Mapping

from rich.console import RenderableType
from rich.text import Text

from paramctl.browse.catalog import SIDES
from paramctl.browse.facts import NOTHING, Told, tell_numbers
from paramctl.browse.histograms import draw_histogram, most_bars
from paramctl.browse.labels import BLUE, DIM, GREEN, TIE
from paramctl.browse.reading import Measured
from paramctl.stats.histograms import choose_bins
from paramctl.stats.moments import Moments
from paramctl.views.units import count_noun, format_number, format_share


def tell_statistics(measured: Measured, sides: int) -> RenderableType:
    """Say what the values of a parameter come to, in each of so many models."""
    told = [_numbers(measured.moments.get(place)) for place in range(sides)]
    reasons = dict.fromkeys(m for m in measured.moments.values() if isinstance(m, str))
    if not any(told):
        return Text("\n".join(reasons), DIM)
    return tell_numbers(told)


def _numbers(moments: Moments | str | None) -> Told:
    if not isinstance(moments, Moments):
        return {}
    return {
        "mean": format_number(moments.mean if moments.count else None, NOTHING),
        "std": format_number(moments.std, NOTHING),
        "min": format_number(moments.low, NOTHING),
        "max": format_number(moments.high, NOTHING),
        "norm": format_number(moments.norm, NOTHING),
        "zeros": format_share(moments.zeros / max(moments.count, 1)),
        "NaN": f"{moments.nans:,}",
        "Inf": f"{moments.infinities:,}",
    }


def tell_difference(measured: Measured) -> Text:
    """Say how far apart the values are in the two models."""
    difference = measured.difference
    if difference is None:
        return Text()
    if isinstance(difference, str):
        return Text(difference, DIM)
    if difference.is_equal:
        return Text("all values are equal", GREEN)
    differing = count_noun(difference.count - difference.equal, "value")
    told = f"max |A - B|  {difference.largest:.4g}, not equal in {differing}"
    return Text(told, TIE)


def draw_all(measured: Measured, sides: int, width: int) -> Text:
    """Draw the histograms, all from the same least to the same largest value."""
    found = {p: m for p, m in measured.moments.items() if isinstance(m, Moments) and m.count}
    samples = [moments.sample for moments in found.values()]
    most = most_bars(max((sample.size for sample in samples), default=0), width)
    bins = choose_bins(list(found.values()), most)
    ends = [end for each in found.values() for end in (each.low, each.high) if end is not None]
    if bins is None or min(ends) == max(ends):
        return Text()
    lines = []
    for place, sample in zip(found, samples, strict=True):
        lines += [Text(SIDES[place], "bold")] if sides > 1 else []
        lines += [Text(bar, BLUE) for bar in draw_histogram(sample, bins, width)]
    left, right = format_number(min(ends)), format_number(max(ends))
    lines.append(Text(left + right.rjust(max(width - len(left), len(right) + 1)), DIM))
    return Text("\n").join(lines)


def tell_values(texts: Mapping[int, str], sides: int) -> Text:
    """Show the values of a slice in each model that has it."""
    lines = []
    for place, text in texts.items():
        lines += [Text(SIDES[place], "bold")] if sides > 1 else []
        lines.append(Text(text))
    return Text("\n").join(lines)
