"""The textbook's initialization of its own: U(-10, 10), and whatever is nearer to 0 than 5 is 0."""

import numpy as np
import numpy.typing as npt


def my_init(shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw the values of one parameter."""
    values = rng.uniform(-10, 10, shape)
    return values * (abs(values) >= 5)
