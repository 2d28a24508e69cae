"""Draw the first weights of layer 0 again, with numpy alone: seed 7, U(-1, 1)."""

from hashlib import blake2b

import numpy as np

seed, name, draw, low, high = 7, "0.weight", 0, np.float32(-1), np.float32(1)

key = np.frombuffer(blake2b(f"{seed}\0{name}\0{draw}".encode(), digest_size=16).digest(), "<u8")
words = np.random.Generator(np.random.Philox(key=key)).integers(0, 2**32, size=4, dtype=np.uint32)
values = low + (high - low) * ((words >> 8) * np.float32(2**-24))

print(values)
