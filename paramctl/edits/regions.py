"""The region of a tensor that an index chooses, and its share of any box of the tensor."""

from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.slices import Box, Index, broadcast, find_places, select, strides_of

ALL, REVERSED = slice(None), slice(None, None, -1)


class Region(NamedTuple):
    """The chosen places along every dimension, ascending.

    `kept` says which dimensions the index leaves, `backwards` along which of them it runs so.
    """

    ranges: tuple[range, ...]
    kept: tuple[bool, ...]
    backwards: tuple[bool, ...]

    @classmethod
    def of(cls, entry: Entry, index: Index) -> "Region":
        """Return the region that an index chooses of an entry.

        Raises:
            UsageError: the index does not fit the shape.
        """
        places = find_places(entry, index)
        ranges = [range(place, place + 1) if isinstance(place, int) else place for place in places]
        return cls(
            tuple(places[::-1] if places.step < 0 else places for places in ranges),
            tuple(isinstance(place, range) for place in places),
            tuple(places.step < 0 for places in ranges),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the index gives."""
        return tuple(
            len(places) for places, kept in zip(self.ranges, self.kept, strict=True) if kept
        )

    def lay_out(self, operand: Entry) -> Entry:
        """Spread an operand over the region as numpy broadcasts it, a dimension for each range.

        Raises:
            UsageError: its shape does not fit; names both.
        """
        spread = broadcast(operand, self.shape)
        strides = iter(strides_of(spread))
        laid_out = spread._replace(
            shape=tuple(map(len, self.ranges)),
            strides=tuple(next(strides) if kept else 0 for kept in self.kept),
        )
        if not any(self.backwards):
            return laid_out
        return select(laid_out, tuple(REVERSED if back else ALL for back in self.backwards))

    def share_of(self, box: Box) -> tuple[Box, Box] | None:
        """Return the region's part of a box, counted from the box's corner and from its own."""
        in_box, own = [], []
        for places, side in zip(self.ranges, box, strict=True):
            first = max(0, -(-(side.start - places.start) // places.step))
            last = min(len(places), -(-(side.stop - places.start) // places.step))
            if first >= last:
                return None
            begin = places[first] - side.start
            in_box.append(slice(begin, places[last - 1] - side.start + 1, places.step))
            own.append(slice(first, last))
        return tuple(in_box), tuple(own)
