"""The boxes of the treemap: layers and parameters, as large as they have values."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from paramctl.layers import Layer
from paramctl.views.census import Census
from paramctl.views.escaping import escape

MOST = 1_500  # boxes
BESIDE = 60  # boxes in a layer; smaller ones are one


class Box(NamedTuple):
    """A box in the one at place `parent`; `layer` is None where it stands for several."""

    parent: int | None
    label: str
    values: int
    layer: Layer | None


class Boxes(NamedTuple):
    """The boxes, each behind the one that it is in, and how many parameters have one."""

    boxes: list[Box]
    parameters: int


def choose_boxes(census: Census, label: str) -> Boxes:
    """Return the boxes of a model; the largest layers are opened first, until there are MOST.

    What has no values of its own, as what is tied, has no box.
    """
    root = Box(None, label, census.sums[census.root].numel, census.root)
    boxes, waiting = [root], [(-root.values, 0)]
    while waiting and len(boxes) < MOST:
        _, place = heappop(waiting)
        layer = boxes[place].layer
        if layer is not None:
            for box in _inside(census, layer, place):
                if box.layer is not None and box.layer.children:
                    heappush(waiting, (-box.values, len(boxes)))
                boxes.append(box)
    drawn = [box.layer for box in boxes if box.layer is not None and box.layer.is_parameter]
    return Boxes(boxes, len(drawn))


def _inside(census: Census, layer: Layer, place: int) -> Iterator[Box]:
    """Yield the boxes in a layer, the largest first."""
    sized = [(census.sums[child].numel, *_joined(part, child)) for part, child in _children(layer)]
    sized = sorted((each for each in sized if each[0]), key=lambda each: -each[0])
    if (own := census.row(layer)) and not own.tied and own.numel and sized:
        yield Box(place, "(itself)", own.numel, None)
    most = BESIDE if len(sized) > BESIDE + 1 else len(sized)
    for values, label, child in sized[:most]:
        yield Box(place, escape(label) or "''", values, child)
    if rest := sized[most:]:
        yield Box(place, f"{len(rest):,} smaller", sum(each[0] for each in rest), None)


def _children(layer: Layer) -> list[tuple[str, Layer]]:
    return list(layer.children.items())


def _joined(part: str, layer: Layer) -> tuple[str, Layer]:
    """Return a layer; one that holds a single thing is joined to it: `wte.weight`."""
    while len(layer.children) == 1 and not layer.is_parameter:
        ((inner, layer),) = layer.children.items()
        part = f"{part}.{inner}"
    return part, layer
