"""Files that `paramctl init` shall always write the same, by their hashes.

The hashes are in golden_files.json; as a program, this renews them:

    python tests/golden_files.py

Orthogonal matrices are not among them: LAPACK's last bits differ between its builds.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from program import Run, paramctl
from safetensors_rows import header, tensor

from paramctl.dtypes import BY_SAFETENSORS

HASHES = Path(__file__).with_suffix(".json")


class GoldenFile(NamedTuple):
    """A model of one parameter, and how it is initialized."""

    seed: int
    name: str
    shape: list[int]
    scheme: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.seed} {self.name} {self.shape} {self.scheme} {self.dtype}"

    def model(self) -> bytes:
        """Return the model before it is initialized, as safetensors."""
        nbytes = prod(self.shape) * BY_SAFETENSORS[self.dtype].bits // 8
        entry = tensor(self.dtype, json.dumps(self.shape), 0, nbytes)
        return header(f"{{{json.dumps(self.name)}:{entry}}}", bytes(nbytes))

    def hash(self, run: Callable[..., Run], folder: Path) -> str:
        """Return the hash of what the program makes of it."""
        before, after = folder / "before", folder / "after"
        before.write_bytes(self.model())
        rule = f"{self.name}={self.scheme}"
        made = run("init", before, "--rule", rule, "--seed", str(self.seed), "-o", after, "--force")
        assert made.code == 0, made.err
        return sha256(after.read_bytes()).hexdigest()


GOLDEN_FILES = [
    GoldenFile(0, "0.weight", [100, 784], "xavier", "F32"),
    GoldenFile(0, "0.weight", [100, 784], "xavier", "BF16"),
    GoldenFile(1, "0.weight", [100, 784], "xavier", "F32"),
    GoldenFile(0, "0.bias", [300], "uniform(-0.1, 0.1)", "F64"),
    GoldenFile(0, "0.weight", [100, 784], "normal(std=0.02)", "F32"),
    GoldenFile(0, "0.weight", [300, 1000], 'kaiming_normal(mode="fan_out")', "BF16"),
    GoldenFile(7, "conv.weight", [64, 3, 7, 7], "kaiming_uniform(a=sqrt(5))", "F16"),
    GoldenFile(2**64 - 1, "größe", [17], "normal(0.5, 2)", "F8_E4M3"),
    GoldenFile(3, "pos_embed", [1, 197, 384], "trunc_normal(std=0.02)", "F32"),
    GoldenFile(3, "h.0.attn.c_attn.weight", [64, 192], "lecun_normal", "F8_E5M2"),
    GoldenFile(5, "w", [33, 1001], "mixture(1/2: zeros, 1/4: normal, 1/4: uniform(5, 10))", "F32"),
    GoldenFile(5, "w", [50, 20], "sparse(0.9, std=0.1)", "F32"),
    GoldenFile(5, "conv.weight", [6, 3, 3, 3], "dirac(groups=2)", "F16"),
    GoldenFile(42, "one", [], "normal", "F32"),
]  # fmt: skip


def read_hashes() -> dict[str, str]:
    """Return the hash of each file."""
    hashes: dict[str, str] = json.loads(HASHES.read_text())
    return hashes


def renew() -> None:
    """Take the hashes from what the program writes now."""
    with TemporaryDirectory() as folder:
        hashes = {str(one): one.hash(paramctl, Path(folder)) for one in GOLDEN_FILES}
    HASHES.write_text(json.dumps(hashes, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    renew()
