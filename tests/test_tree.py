"""The tree: order, guides, folding, sums."""

import io
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from paramctl.addresses import resolve
from paramctl.checkpoint import Checkpoint, Entry
from paramctl.dtypes import BY_NAME, UNKNOWN
from paramctl.layers import build_layers
from paramctl.views import tree as tree_module
from paramctl.views.rows import Row, make_rows
from paramctl.views.sorting import SortKey
from paramctl.views.tree import UNICODE_GUIDES, Line, TreeBuilder, flat_lines
from paramctl.views.tree_table import print_lines


def checkpoint(shapes: Mapping[str, tuple[int, ...]], **fields: dict[str, str]) -> Checkpoint:
    entries = {name: Entry(name, BY_NAME["float32"], shape, None) for name, shape in shapes.items()}
    return Checkpoint("model", "test", entries, **fields)  # type: ignore[arg-type]


def draw(
    model: Checkpoint, *, fold: bool = True, depth: int | None = None, sort: SortKey = "file"
) -> list[str]:
    rows = make_rows(model, model)
    tree = TreeBuilder(model, rows, fold=fold, guides=UNICODE_GUIDES)
    return [
        f"{line.guides}{line.label} x{line.times} {line.numel}" for line in tree.lines(depth, sort)
    ]


MLP = {"0.weight": (8, 4), "0.bias": (8,), "2.weight": (1, 8), "2.bias": (1,)}
BLOCKS = {f"h.{i}.{n}": (2, 3) for i in (0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9) for n in "wb"}


def test_parameters_hang_on_their_layers() -> None:
    assert draw(checkpoint(MLP)) == [
        "0 x1 40",
        "├─ weight x1 32",
        "└─ bias x1 8",
        "2 x1 9",
        "├─ weight x1 8",
        "└─ bias x1 1",
    ]


def test_siblings_that_repeat_are_one_line_with_all_their_sums() -> None:
    assert draw(checkpoint(BLOCKS)) == ["h.[0-11] x12 144", "├─ w x1 6", "└─ b x1 6"]


def test_numbered_siblings_stand_in_the_numbers_order() -> None:
    lines = draw(checkpoint(BLOCKS), fold=False, depth=2)
    assert [line.split()[1] for line in lines[1:]] == [str(i) for i in range(12)]


def test_what_differs_is_not_folded() -> None:
    shapes = BLOCKS | {"h.5.w": (9, 9)}
    labels = [line.split(" x")[0] for line in draw(checkpoint(shapes), depth=2)]
    assert labels == ["h", "├─ [0-4]", "├─ 5", "└─ [6-11]"]


def test_even_steps_are_folded_and_said() -> None:
    shapes = {f"net.{i}.weight": (5, 5) for i in range(0, 100, 2)}
    assert draw(checkpoint(shapes)) == ["net.[0,2..98].weight x50 1250"]


def test_columns_without_headings_have_no_header_line() -> None:
    lazy = Entry("w", UNKNOWN, (), None, layout="uninitialized")
    known = checkpoint({"w": (2,)})
    model = Checkpoint("model", "test", {"w": lazy})
    assert printed(model) == "w  uninitialized\n"
    assert printed(known).splitlines()[0].split() == ["shape", "dtype", "values", "size"]


def printed(model: Checkpoint) -> str:
    out = io.StringIO()
    print_lines(Console(file=out), flat_lines(make_rows(model, model)), None)
    return out.getvalue()


def test_two_are_shown_as_they_are() -> None:
    assert len(draw(checkpoint({"0.w": (1,), "1.w": (1,)}))) == 2


def test_names_with_words_before_the_number_fold_too() -> None:
    shapes = {f"0.block {i}.0.{n}": (4, 8) for i in range(4) for n in ("weight", "bias")}
    assert draw(checkpoint(shapes))[0] == "0.block [0-3].0 x4 256"


def test_layers_of_other_types_are_not_alike() -> None:
    types = {f"h.{i}": "A" if i < 6 else "B" for i in range(12)}
    labels = [line.split(" x")[0] for line in draw(checkpoint(BLOCKS, types=types), depth=2)]
    assert labels == ["h", "├─ [0-5]", "└─ [6-11]"]


def test_a_tie_adds_nothing_to_its_layer() -> None:
    model = checkpoint({"a.w": (2, 2), "b.w": (2, 2)}, aliases={"b.w": "a.w"})
    assert draw(model, depth=1) == ["a.w x1 4", "b.w x1 4"]
    nested = checkpoint({"m.a": (2, 2), "m.b": (2, 2)}, aliases={"m.b": "m.a"})
    assert draw(nested, depth=1) == ["m x1 4"]


def stacks(*ties: Callable[[int], str], part: str = "mlp.0.w") -> Checkpoint:
    """Return a stack of four layers, and one for each of the functions, tied layer by layer."""
    encoder = {f"enc.{i}.{part}": (2,) for i in range(8)}
    aliases = {f"dec{n}.{i}.{part}": tie(i) for n, tie in enumerate(ties) for i in range(4)}
    return checkpoint(encoder | dict.fromkeys(aliases, (2,)), aliases=aliases)


def tied(model: Checkpoint) -> list[tuple[str, str]]:
    return [(address, row.tied) for address, row in addressed(model) if row.tied]


@pytest.mark.parametrize(
    ("tie", "shown"),
    [
        (lambda i: f"enc.{i}.mlp.0.w", "enc.[0-3].mlp.0.w"),
        (lambda i: f"enc.{i + 4}.mlp.0.w", "enc.[4-7].mlp.0.w"),
        (lambda _: "enc.5.mlp.0.w", "enc.5.mlp.0.w"),
    ],
)
def test_stacks_that_are_tied_layer_by_layer_fold(tie: Callable[[int], str], shown: str) -> None:
    assert tied(stacks(tie)) == [("dec0.[0-3].mlp.0.w", shown)]


def test_stacks_that_are_tied_in_another_order_do_not_fold() -> None:
    crossed = stacks(lambda i: f"enc.{3 - i}.mlp.0.w", lambda i: f"enc.{(3, 5, 0, 1)[i]}.mlp.0.w")
    assert [address for address, _ in tied(crossed)] == [
        f"dec{n}.{i}.mlp.0.w" for n in range(2) for i in range(4)
    ]


def test_each_of_several_stacks_folds_over_its_own_ties() -> None:
    def aligned(i: int) -> str:
        return f"enc.{i}.mlp.0.w"

    assert tied(stacks(aligned, aligned, lambda _: "enc.7.mlp.0.w")) == [
        ("dec0.[0-3].mlp.0.w", "enc.[0-3].mlp.0.w"),
        ("dec1.[0-3].mlp.0.w", "enc.[0-3].mlp.0.w"),
        ("dec2.[0-3].mlp.0.w", "enc.7.mlp.0.w"),
    ]


def test_ties_of_layers_in_layers_fold_at_both_numbers() -> None:
    names = [f"{i}.{j}.w" for i in range(3) for j in range(0, 6, 2)]
    aliases = {f"dec.{name}": f"enc.{name}" for name in names}
    model = checkpoint(dict.fromkeys([*aliases.values(), *aliases], (1,)), aliases=aliases)
    assert tied(model) == [("dec.[0-2].[0,2..4].w", "enc.[0-2].[0,2..4].w")]


@given(st.lists(st.sampled_from([*range(8)]), min_size=4, max_size=4))
def test_what_a_folded_line_is_tied_to_are_the_ties_of_its_parameters(targets: list[int]) -> None:
    model = stacks(lambda i: f"enc.{targets[i]}.mlp.0.w")
    for address, row in addressed(model):
        own = [match.name for match in resolve(list(model), address)]
        tied_to = [model.aliases[name] for name in own if name in model.aliases]
        named = {match.name for match in resolve(list(model), row.tied)} if row.tied else set()
        assert named == set(tied_to)


def addressed(model: Checkpoint) -> list[tuple[str, Row]]:
    """Return the lines of parameters by their addresses."""
    tree = TreeBuilder(model, make_rows(model, model), fold=True, guides=UNICODE_GUIDES)
    found: list[tuple[str, Row]] = []
    path: list[str] = []
    for level, line in with_levels(list(tree.lines(None, "file"))):
        path[level:] = [line.label]
        if line.row:
            found.append((".".join(path), line.row))
    return found


@pytest.mark.parametrize(("sort", "labels"), [("file", "bca"), ("name", "abc"), ("size", "cab")])
def test_siblings_are_sorted(sort: SortKey, labels: str) -> None:
    lines = draw(checkpoint({"b": (1,), "c": (9,), "a": (3,)}), sort=sort)
    assert "".join(line[0] for line in lines) == labels


def test_a_parameter_that_is_a_layer_too_is_both() -> None:
    assert draw(checkpoint({"a": (1,), "a.b": (2,), "a.c": (3,)})) == [
        "a x1 1",
        "├─ b x1 2",
        "└─ c x1 3",
    ]


names = st.lists(st.text("ab.012", max_size=7), unique=True, min_size=1, max_size=30)
stems = st.lists(st.text("ab.", max_size=2), min_size=1, max_size=3, unique=True)
runs = st.builds(
    lambda stems, parts: [
        f"{stem}{i}.{part}" for stem in stems for i in range(4) for part in parts
    ],
    stems,
    st.sampled_from(["a", "ab"]),
)


@given(names)
def test_every_parameter_has_one_line_where_nothing_is_folded(names: list[str]) -> None:
    model = checkpoint(dict.fromkeys(names, (1,)))
    rows = make_rows(model, model)
    tree = TreeBuilder(model, rows, fold=False, guides=UNICODE_GUIDES)
    lines = list(tree.lines(None, "file"))
    assert sorted(line.row.name for line in lines if line.row) == sorted(names)


@given(names)
def test_the_root_holds_every_name_once_and_in_order_of_numbers(names: list[str]) -> None:
    stack, seen = [build_layers(names)], []
    while stack:
        layer = stack.pop()
        seen += [layer.name] if layer.is_parameter else []
        numbers = [
            int(part) for part in layer.children if part in ("0", "1", "00", "01", "10", "11")
        ]
        assert all(a <= b for a, b in pairwise(numbers))
        stack.extend(layer.children.values())
    assert sorted(seen) == sorted(names)


@given(names | runs, st.lists(st.integers(0, 9), max_size=9))
def test_folding_keeps_the_sums(names: list[str], odd: list[int]) -> None:
    sizes = {f"{name}.w": (2 if place in odd else 3,) for place, name in enumerate(names)}
    model = checkpoint(sizes)
    rows = make_rows(model, model)
    tree = TreeBuilder(model, rows, fold=True, guides=UNICODE_GUIDES)
    lines = list(tree.lines(1, "file"))
    assert sum(line.numel or 0 for line in lines) == sum(entry.numel for entry in model.values())


def state(count: int) -> Checkpoint:
    """Return a model like the state of Adam: no two shapes in a row are the same."""
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(count):
        shapes |= {f"state.{i}.step": (), f"state.{i}.avg": (i + 1, 2), f"state.{i}.sq": (i + 1, 2)}
    return checkpoint(shapes)


def shorten(model: Checkpoint, sort: SortKey = "file") -> tuple[list[Line], bool]:
    tree = TreeBuilder(model, make_rows(model, model), fold=True, guides=UNICODE_GUIDES)
    return tree.short_lines(sort)


def test_a_tree_that_fits_is_not_abridged() -> None:
    model = checkpoint(BLOCKS | MLP)
    lines, is_whole = shorten(model)
    assert is_whole
    assert [f"{line.guides}{line.label} x{line.times} {line.numel}" for line in lines] == draw(
        model
    )
    assert shorten(checkpoint({})) == ([], True)


def test_layers_that_differ_in_shapes_alone_fold_where_the_tree_is_too_long() -> None:
    assert len(draw(state(9))) == 1 + 9 * 4
    lines, is_whole = shorten(state(200))
    assert not is_whole
    assert [(line.label, line.shape, line.times, line.numel) for line in lines] == [
        ("state.[0-199]", "", 200, 200 * (1 + 2 * 201)),
        ("step", "[]", 200, 200),
        ("avg", "…", 200, 200 * 201),
        ("sq", "…", 200, 200 * 201),
    ]


def test_siblings_that_are_too_many_are_summed() -> None:
    model = checkpoint({f"{i}x": (i,) for i in range(1000)})
    lines, is_whole = shorten(model, "size")
    assert not is_whole
    assert [line.numel for line in lines[:-1]] == list(range(999, 980, -1))
    assert (lines[-1].label, lines[-1].numel) == ("… 981 more", sum(range(981)))


def test_layers_are_closed_from_the_bottom_until_they_fit() -> None:
    model = checkpoint({f"m.{i}x.{j}y": (2,) for i in range(50) for j in range(20)})
    lines, is_whole = shorten(model)
    assert not is_whole
    assert [line.label for line in lines] == ["m", *(f"{i}x" for i in range(50))]


parts = st.sampled_from(["a", "b", "x 0", "x 1", "x 2", *map(str, range(7))])
paths = st.lists(st.lists(parts, min_size=1, max_size=4).map(".".join), unique=True, max_size=60)


def with_levels(lines: list[Line]) -> list[tuple[int, Line]]:
    return [(len(line.guides) // 3, line) for line in lines]


@given(paths, st.data())
def test_an_abridged_tree_is_short_and_its_sums_are_those_of_the_lines_below(
    names: list[str], data: st.DataObject
) -> None:
    model = checkpoint({f"{name}.w": (data.draw(st.integers(1, 3)),) for name in names})
    with patch.multiple(tree_module, MAX_LINES=9, MAX_SIBLINGS=4):
        lines, is_whole = shorten(model)
    assert len(lines) <= 9
    below = [0] * 9
    for level, line in [] if is_whole else reversed(with_levels(lines)):
        assert below[level + 1] in (0, line.numel)
        below[level + 1] = 0
        below[level] += line.numel or 0
    assert is_whole or below[0] == sum(entry.numel for entry in model.values())


@given(paths, st.sampled_from([5, 400]))
def test_what_the_tree_calls_a_layer_is_its_address(names: list[str], most: int) -> None:
    model = checkpoint({f"{name}.w": (1,) for name in names})
    with patch.multiple(tree_module, MAX_LINES=most):
        lines, is_whole = shorten(model)
    path: list[Line] = []
    for level, line in with_levels(lines):
        path[level:] = [line]
        if not line.label.startswith("…"):
            found = resolve(list(model), ".".join(line.label for line in path))
            above = prod(line.times for line in path[:level]) if is_whole else 1
            assert len(found) == above * (line.numel or 0)
