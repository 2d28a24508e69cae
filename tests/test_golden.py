import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from devices import DEVICES, off
from golden import GOLDEN, Golden, digest
from hypothesis import given
from hypothesis import strategies as st

from paramctl.init import streams

ROOT = Path(__file__).parents[1]
FOUND = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
CPUS = [
    ("cpu:0", "ATEN_CPU_CAPABILITY", "default"),
    ("cpu:0", "ATEN_CPU_CAPABILITY", "avx2"),
    *(("cpu", "NPY_DISABLE_CPU_FEATURES", " ".join(FOUND[i:])) for i in range(len(FOUND))),
]
"""Machines that know less than this one, for torch and for numpy."""


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("golden", GOLDEN, ids=str)
def test_values_never_change(golden: Golden, device: str) -> None:
    values = golden.sample(device)
    assert values.dtype == np.float32
    assert values.shape == (golden.numel,)
    assert digest(values) == golden.sha256


@pytest.mark.parametrize(("device", "variable", "value"), CPUS)
def test_no_instruction_set_changes_a_value(device: str, variable: str, value: str) -> None:
    command = [sys.executable, str(ROOT / "tests/golden.py"), device]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), variable: value}
    run = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert run.stdout.split() == [golden.sha256 for golden in GOLDEN]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_no_number_of_threads_changes_a_value(threads: int) -> None:
    def part(golden: Golden, start: int) -> Any:
        count = min(20_011, golden.numel - start)
        return golden.distribution.sample(golden.stream(), start, count)

    with ThreadPoolExecutor(threads) as pool:
        for golden in GOLDEN:
            parts = [pool.submit(part, golden, i) for i in range(0, golden.numel, 20_011)]
            values = np.concatenate([future.result() for future in parts])
            assert digest(values) == golden.sha256


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("chunk", [8, 1000, 1 << 20])
def test_no_size_of_chunks_changes_a_value(
    chunk: int, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {golden: golden.sample() for golden in GOLDEN}
    monkeypatch.setattr(streams, "CHUNK", chunk)
    monkeypatch.setattr(streams, "DEVICE_CHUNK", chunk)
    for golden, values in expected.items():
        few = min(golden.numel, 20 * chunk)
        found = golden._replace(numel=few).sample(device)
        assert np.array_equal(found, values[:few])


@pytest.mark.parametrize("device", DEVICES)
@given(golden=st.sampled_from(GOLDEN), data=st.data())
def test_parts_and_single_elements_are_those_of_the_whole(
    golden: Golden, data: st.DataObject, device: str
) -> None:
    start = data.draw(st.integers(0, min(golden.numel, 5000)))
    count = data.draw(st.one_of(st.just(1), st.integers(0, 300)))
    part = off(golden.distribution.sample(golden.stream(device), start, count))
    whole = golden.distribution.sample(golden.stream(), 0, start + count)
    assert np.array_equal(part, whole[start:])
