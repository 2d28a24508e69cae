"""List a safetensors file with its own library: `python safe_open_loop.py FILE`."""

import sys

from safetensors import safe_open

with safe_open(sys.argv[1], "pt") as file:
    for name in file.keys():  # noqa: SIM118 (a safe_open is no dict)
        tensor = file.get_slice(name)
        print(name, tensor.get_shape(), tensor.get_dtype(), sep="\t")
