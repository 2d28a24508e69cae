"""Assignments: every statement gives what the same line of PyTorch gives."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from states import checkpoint_of, tensor_of

from paramctl.checkpoint import Checkpoint, Entry
from paramctl.edits.assignment import assign, parse_statement
from paramctl.errors import (
    AddressError,
    ExpressionError,
    FileError,
    LimitError,
    ParamctlError,
    UsageError,
)
from paramctl.formats import open_checkpoint

State = dict[str, torch.Tensor]


def no_array(path: str) -> Entry:
    raise AssertionError(path)


def run(checkpoint: Checkpoint, *statements: str) -> Checkpoint:
    for statement in statements:
        checkpoint = assign(checkpoint, parse_statement(statement), no_array)
    return checkpoint


def state() -> State:
    torch.manual_seed(0)
    return {
        "0.weight": torch.randn(8, 4),
        "0.bias": torch.randn(8),
        "0.block 1.bias": torch.randn(4),
        "2.weight": torch.randn(8, 4).bfloat16(),
        "count": torch.arange(12).reshape(3, 4),
        "flag": torch.tensor([True, False]),
        "half": torch.randn(3, 5, 7).half(),
    }


def py(code: str) -> Callable[[State], None]:
    def change(s: State) -> None:
        exec(code, {"torch": torch}, {"s": s})  # noqa: S102 (the oracle's own line)

    return change


LINES = [
    ("0.weight += 1", "s['0.weight'] += 1"),
    ("0.weight[0,0] = 42", "s['0.weight'][0, 0] = 42"),
    ("**.bias = 0", "s['0.bias'][:] = 0; s['0.block 1.bias'][:] = 0"),
    ("0.weight *= -1", "s['0.weight'] *= -1"),
    ("0.weight*=-1", "s['0.weight'] *= -1"),
    ("2.*=7", "s['2.weight'][:] = 7"),  # the star is the pattern's
    ("2.* *= 7", "s['2.weight'] *= 7"),
    ("**=1", "[tensor.fill_(1) for tensor in s.values()]"),
    ("2.weight *= -1.7", "s['2.weight'] *= -1.7"),
    ("2.weight /= 3", "s['2.weight'] /= 3"),
    ("0.weight -= 2.weight", "s['0.weight'] -= s['2.weight']"),
    ("0.weight = 2.weight", "s['0.weight'].copy_(s['2.weight'])"),
    ("0.weight[::2, 1] = 0.bias[:4]", "s['0.weight'][::2, 1] = s['0.bias'][:4]"),
    ("0.weight[:, -1] = 0.bias", "s['0.weight'][:, -1] = s['0.bias']"),
    ("0.weight[...] = 0.block 1.bias", "s['0.weight'][:] = s['0.block 1.bias']"),
    ("0.weight[2] = [1, 2, 3, 4]", "s['0.weight'][2] = torch.tensor([1., 2, 3, 4])"),
    ("0.weight[:2] = [[1], [2.5]]", "s['0.weight'][:2] = torch.tensor([[1], [2.5]])"),
    ("0.weight = abs(0.weight)", "s['0.weight'] = s['0.weight'].abs()"),
    (
        "0.weight = where(0.weight > 0, 0.weight, 0.1 * 0.weight)",
        "s['0.weight'] = torch.where(s['0.weight'] > 0, s['0.weight'], 0.1 * s['0.weight'])",
    ),
    ("0.weight = clip(0.weight, -0.5, 0.5)", "s['0.weight'].clamp_(-0.5, 0.5)"),
    ("0.bias = 0.bias * ('0.bias' >= 0)", "s['0.bias'] *= s['0.bias'] >= 0"),
    ("0.bias = '0.block 1.bias[0]' + 1", "s['0.bias'][:] = s['0.block 1.bias'][0] + 1"),
    ("count += 3", "s['count'] += 3"),
    ("count[1, 1:3] = -7", "s['count'][1, 1:3] = -7"),
    ("count = max(count, 5)", "s['count'] = s['count'].clamp(min=5)"),
    ("flag = 1", "s['flag'][:] = True"),
    ("half[1, :, 2:6:3] *= 1.3", "s['half'][1, :, 2:6:3] *= 1.3"),
    ("half[:, 4] = 1/3", "s['half'][:, 4] = 1 / 3"),
    ("0.weight = 2.weight / 3 - 1", "s['0.weight'] = (s['2.weight'].float() / 3 - 1)"),
]


@pytest.mark.parametrize(("statement", "line"), LINES)
def test_a_statement_gives_what_torch_gives(statement: str, line: str) -> None:
    expected = state()
    changed = run(checkpoint_of(state()), statement)
    py(line)(expected)
    for name, tensor in expected.items():
        assert torch.equal(tensor_of(changed[name]), tensor), name


def test_roots_are_rounded_exactly() -> None:  # torch's are not
    changed = run(checkpoint_of(state()), "0.weight = sqrt(abs(0.weight))")
    expected = state()["0.weight"].abs().double().sqrt().float()
    assert torch.equal(tensor_of(changed["0.weight"]), expected)


def test_statements_are_carried_out_in_order() -> None:
    changed = run(checkpoint_of(state()), "0.bias = 1", "0.bias *= 3", "0.bias[0] = 0.bias[1]")
    assert tensor_of(changed["0.bias"]).tolist() == [3.0] * 8


def test_backward_slices_run_backwards() -> None:
    values = state()["0.bias"]
    changed = run(checkpoint_of(state()), "0.bias[::-1] = 0.bias")
    assert torch.equal(tensor_of(changed["0.bias"]), values.flip(0))
    changed = run(checkpoint_of(state()), "0.bias[6:1:-2] = [1, 2, 3]")
    assert tensor_of(changed["0.bias"])[[6, 4, 2]].tolist() == [1, 2, 3]


def test_a_change_of_one_name_changes_all_names_of_its_storage_once() -> None:
    shared = torch.ones(2, 2)
    tied = checkpoint_of({"a": shared, "b": shared, "c": torch.zeros(2)})
    assert tied.aliases == {"b": "a"}
    changed = run(tied, "* += 1")
    assert tensor_of(changed["b"]).tolist() == [[2, 2], [2, 2]]
    assert changed["a"].storage == changed["b"].storage
    assert tensor_of(run(tied, "b[0] = 5")["a"]).tolist() == [[5, 5], [1, 1]]


ERRORS: list[tuple[str, type[ParamctlError], str]] = [
    ("0.weight", UsageError, "no assignment"),
    ("= 3", UsageError, "no assignment"),
    ("0.weight =", UsageError, "no assignment"),
    ("0.wieght = 1", AddressError, "closest: 0.weight"),
    ("0.weight = 0.bias", UsageError, r"'0.bias' of shape \[8\] does not fit the shape \[8, 4\]"),
    ("0.weight[0] = [1, 2, 3]", UsageError, r"of shape \[3\] does not fit the shape \[4\]"),
    ("0.weight[9] = 1", UsageError, "out of bounds"),
    ("0.weight = sine(1)", ExpressionError, "no function is called 'sine'"),
    ("0.weight = clip(1)", ExpressionError, r"clip takes 3 arguments, not 1.*column 12"),
    ("0.weight = 0.wieght + 1", ExpressionError, "no parameter or layer '0.wieght'.*column 12"),
    ("0.weight = 0 + 1 +", ExpressionError, "found the end"),
    ("0.weight = '0' + 1", ExpressionError, "names 3 parameters, not one"),
    ("0.weight = [[1], [1, 2]]", ExpressionError, "differ in length"),
    ("count = 0.5", UsageError, "'count' of int64 cannot hold 0.5"),
    ("count /= 2", UsageError, "'count' of int64 cannot hold float64 values"),
    ("count = 1e30", UsageError, "cannot hold 1e"),
    ("flag += 1", UsageError, "'flag' of bool cannot hold int64 values"),
    ("half = 7e4", UsageError, "'half' of float16 cannot hold 70000.0"),
    ("half = 1e-12", UsageError, "'half' of float16 cannot hold 1e-12"),
    ("eighth = 1e9", UsageError, "'eighth' of float8_e4m3fn cannot hold 1000000000.0"),
]


@pytest.mark.parametrize(("statement", "kind", "message"), ERRORS)
def test_what_does_not_fit_is_refused(
    statement: str, kind: type[ParamctlError], message: str
) -> None:
    eighth = torch.zeros(2).to(torch.float8_e4m3fn)
    with pytest.raises(kind, match=message):
        run(checkpoint_of(state() | {"eighth": eighth}), statement)


@st.composite
def assignments(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[Any, ...], int, int]:
    """Return a shape, an index of it, and a range of the bytes that the result takes."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    index = tuple(draw(st.one_of(st.integers(-size, size - 1), st.slices(size))) for size in shape)
    total = 4 * int(np.prod(shape))
    begin = draw(st.integers(0, total))
    return shape, index, begin, draw(st.integers(begin, total))


@given(assignments())
def test_any_range_of_bytes_of_any_slice_is_as_numpy_has_it(
    case: tuple[tuple[int, ...], tuple[Any, ...], int, int],
) -> None:
    shape, index, begin, end = case
    values = np.arange(np.prod(shape), dtype="<f4").reshape(shape)
    expected = values.copy()
    expected[index] *= -2
    text = ",".join(
        str(step)
        if isinstance(step, int)
        else ":".join(
            "" if bound is None else str(bound) for bound in (step.start, step.stop, step.step)
        )
        for step in index
    )
    changed = run(checkpoint_of({"w": torch.from_numpy(values)}), f"w[{text}] *= -2")
    storage = changed["w"].storage
    assert storage is not None
    assert storage.source.read(begin, end - begin) == expected.tobytes()[begin:end]


def test_a_file_of_numpy_is_an_operand(tmp_path: Path) -> None:
    from paramctl.formats.npy import read_npy  # noqa: PLC0415

    orders: tuple[Literal["C", "F"], ...] = ("C", "F")
    for order in orders:
        for dtype in ("<f8", ">f4", "<i2"):
            values = (np.arange(32).reshape(8, 4) / 4).astype(np.dtype(dtype), order=order)
            np.save(tmp_path / "x.npy", values)
            statement = parse_statement(f"0.weight = @{tmp_path}/x.npy")
            changed = assign(checkpoint_of(state()), statement, read_npy)
            assert np.array_equal(tensor_of(changed["0.weight"]).numpy(), values)


def test_a_hundred_statements_on_one_parameter_take_a_hundred_steps() -> None:
    statements = ["0.bias = 0.bias * 0 + '0.bias[::-1]'", "0.bias += 1"] * 50
    changed = run(checkpoint_of(state()), *statements)
    expected = state()["0.bias"]
    for _ in range(50):
        expected = expected.flip(0) + 1
    assert torch.equal(tensor_of(changed["0.bias"]), expected)


def test_what_is_read_for_a_new_value_must_not_change_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"a": torch.zeros(4), "b": torch.ones(4)}, path)
    changed = run(open_checkpoint(path), "a += b", "a *= 2")
    storage = changed["a"].storage
    assert storage is not None
    storage.source.read(0, 4)
    os.utime(path, ns=(1, 1))
    with pytest.raises(FileError, match="changed"):
        storage.source.check_unchanged()


def test_an_expanded_tensor_is_not_blown_up() -> None:
    huge = torch.zeros(1).expand(1 << 40)
    with pytest.raises(LimitError, match="4398046511104 bytes of the 4 that are stored"):
        run(checkpoint_of({"w": huge}), "w = 1")


def test_odd_numbers_are_errors_of_the_statement() -> None:
    for text in (
        "flag = -flag",
        "count = log(0)",
        "count = log(-1)",
        "count = count ** -1",
        "count = 1/0",
    ):
        with pytest.raises(UsageError):
            run(checkpoint_of(state()), text)
