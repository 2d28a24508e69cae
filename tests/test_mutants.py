"""The checks of drawn values can fail: each of these mistakes in the package is found by one."""

from collections.abc import Callable
from typing import NamedTuple

import mistakes
import pytest
from draw_checks import (
    FAMILIES,
    LAYERS,
    check_apart,
    check_case,
    check_fused,
    check_mixture,
    check_parts,
    check_sparse,
    check_tie,
)

WIDE = LAYERS[1]  # its fans differ


class Mutant(NamedTuple):
    """A mistake, made by `make`, and the check that must find it."""

    make: Callable[[pytest.MonkeyPatch], None]
    check: Callable[[], None]


def case(family: str, place: int = 0) -> Callable[[], None]:
    return lambda: check_case(FAMILIES[family][place], WIDE)


MUTANTS = [
    Mutant(mistakes.swap_fans, case("kaiming normal")),
    Mutant(mistakes.swap_fans, case("kaiming uniform", 1)),
    Mutant(mistakes.swap_fans, case("lecun", 1)),
    Mutant(mistakes.square_the_gain, case("xavier uniform", 1)),
    Mutant(mistakes.square_the_gain, case("kaiming normal")),
    Mutant(mistakes.forget_root_3, case("xavier uniform")),
    Mutant(mistakes.forget_root_3, case("lecun")),
    Mutant(mistakes.take_variance_for_std, case("xavier normal")),
    Mutant(mistakes.take_std_for_variance, case("kaiming normal")),
    Mutant(mistakes.forget_the_cut, case("lecun", 1)),
    Mutant(mistakes.begin_one_late, check_parts),
    Mutant(mistakes.shift_within_chunks, check_parts),
    Mutant(mistakes.begin_at_the_first_block, check_parts),
    Mutant(mistakes.read_one_late, check_parts),
    Mutant(mistakes.ignore_the_name, check_apart),
    Mutant(mistakes.ignore_the_seed, check_apart),
    Mutant(mistakes.repeat_the_first_chunk, check_apart),
    Mutant(mistakes.repeat_the_first_part, check_apart),
    Mutant(mistakes.ignore_the_draw, check_mixture),
    Mutant(mistakes.ignore_the_draw, check_sparse),
    Mutant(mistakes.ignore_the_draw, check_fused),
    Mutant(mistakes.name_a_tie_as_it_is_stored, check_tie),
    Mutant(mistakes.drop_the_sign, case("xavier normal")),
    Mutant(mistakes.use_a_byte_of_each_word, case("xavier uniform")),
    Mutant(mistakes.cut_instead_of_rounding, case("xavier normal")),
    Mutant(mistakes.round_twice, case("xavier normal")),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.make.__name__)
def test_a_mistake_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.make(monkeypatch)
    with pytest.raises(AssertionError):
        mutant.check()
