"""Make the `.msgpack` files beside this one, as flax writes them.

    pip install flax==0.12.8 optax==0.2.8 && python tests/files/make_flax.py

They are kept, since flax is too large to be installed for tests: a net's variables, its training
state, and a tree of what else flax can write.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, serialization
from flax.training.train_state import TrainState

HERE = Path(__file__).parent


class Net(linen.Module):
    """Two dense layers with a norm between them."""

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map rows of 3 values to rows of 2."""
        x = linen.Dense(4)(x)
        x = linen.BatchNorm(use_running_average=True)(x)
        return linen.Dense(2, param_dtype=jnp.bfloat16)(x)


variables = Net().init(jax.random.key(0), jnp.ones((1, 3)))
params = variables["params"]
state = TrainState.create(apply_fn=None, params=params, tx=optax.adam(0.001))
state = state.apply_gradients(grads=params)
(HERE / "variables.msgpack").write_bytes(serialization.to_bytes(variables))
(HERE / "train_state.msgpack").write_bytes(serialization.to_bytes(state))
serialization.MAX_CHUNK_SIZE = 16  # what is larger is written in chunks
tree = {
    "chunked": np.arange(10, dtype="f4").reshape(2, 5),
    "columns": np.arange(4, dtype="i2").reshape(2, 2).T,
    "empty": np.zeros((0, 3)),
    "scalar": np.float64(3),
    "tuple": (np.array([True, False]), 7),
    "float8": jnp.arange(3, dtype=jnp.float8_e4m3fn),
    "int4": jnp.arange(3, dtype=jnp.int4),
    "complex": np.array([1 - 2j], "c8"),
    "plain": {"complex": 1 + 2j, "text": "é", "bytes": b"abc", "none": None, "nothing": {}},
}
(HERE / "tree.msgpack").write_bytes(serialization.to_bytes(tree))
