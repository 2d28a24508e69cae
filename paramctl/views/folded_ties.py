"""What the parameters of folded siblings are tied to: `enc.[0-3].weight`."""

from collections.abc import Mapping, Sequence

from paramctl.layers import Layer, split_number
from paramctl.views.folding import fold_label
from paramctl.views.rows import Row


def relative_tie(row: Row) -> Row:
    """Return a row with the numbers in its tie counted from those in its own name.

    So those of `dec.0.weight`, tied to `enc.0.weight`, and `dec.1.weight`, tied to `enc.1.weight`,
    are the same. The last number is counted from the last, and so on; which were, stands in front.
    """
    if not row.tied:
        return row
    own = [number for _, number in filter(None, map(split_number, row.name.split(".")))]
    parts = row.tied.split(".")
    counted = []
    for place in reversed(range(len(parts))):
        numbered = split_number(parts[place])
        if numbered and own:
            parts[place] = f"{numbered[0]}{numbered[1] - own.pop():+}"
            counted.append(place)
    return row._replace(tied=f"{counted} {'.'.join(parts)}")


def name_ties(rows: Mapping[str, Row], row: Row, folds: Sequence[Sequence[Layer]]) -> str:
    """Name what a row stands for is tied to, given the siblings that are folded into its layers."""
    parts = row.tied.split(".")
    for fold in folds if row.tied else ():
        below = row.name[len(fold[0].name) :]
        others = [rows[layer.name + below].tied.split(".") for layer in fold]
        for place, found in enumerate(zip(*others, strict=True)):
            if len(set(found)) > 1:
                parts[place] = fold_label(found)
    return ".".join(parts)
