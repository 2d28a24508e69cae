"""Models in buckets: a file system of fsspec's stands for those of S3 and Google Cloud Storage."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.registry import _registry
from safetensors_rows import F32, one, tensor

import paramctl
from paramctl.arrays import read
from paramctl.errors import AbsentError, DeniedError, FileError, UsageError

SAMPLES = Path(__file__).parents[1] / "sample_models"


class Buckets(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """Objects in memory, and what was asked for of them."""

    cachable = False
    objects: ClassVar[dict[str, bytes]] = {}
    versions: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[tuple[str, int, int]]] = []
    failure: ClassVar[Exception | None] = None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Tell of an object, or of a prefix."""
        if path in self.objects:
            etag = self.versions.get(path, '"1"')
            return {"name": path, "size": len(self.objects[path]), "type": "file", "ETag": etag}
        if any(name.startswith(f"{path.rstrip('/')}/") for name in self.objects):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002, ARG002 (its signature)
        """List a prefix."""
        return [name for name in self.objects if name.startswith(f"{path.rstrip('/')}/")]

    def cat_file(self, path: str, start: int, end: int, **_: Any) -> bytes:
        """Return a range of an object."""
        if self.failure:
            raise self.failure
        self.asked.append((path, start, end))
        return self.objects[path][start:end]


@pytest.fixture
def buckets() -> Iterator[type[Buckets]]:
    for scheme in ("s3", "gs"):
        fsspec.register_implementation(scheme, Buckets, clobber=True)
    yield Buckets
    for scheme in ("s3", "gs"):
        del _registry[scheme]
    for kept in (Buckets.objects, Buckets.versions, Buckets.asked):
        kept.clear()
    Buckets.failure = None


@pytest.mark.parametrize("scheme", ["s3", "gs"])
@pytest.mark.parametrize("name", ["mlp.safetensors", "mlp.pt", "gpt2"])
def test_a_model_is_the_same_as_on_the_disk(name: str, scheme: str, buckets: type[Buckets]) -> None:
    for path in (SAMPLES / name).iterdir() if name == "gpt2" else [SAMPLES / name]:
        buckets.objects[f"bucket/{path.relative_to(SAMPLES)}"] = path.read_bytes()
    model, local = paramctl.open(f"{scheme}://bucket/{name}"), paramctl.open(SAMPLES / name)
    assert model.file == local.file.replace(str(SAMPLES), f"{scheme}://bucket")
    assert [entry.summary for entry in model.values()] == [e.summary for e in local.values()]
    assert all((read(model[name]) == read(local[name])).all() for name in local)


def test_no_more_is_read_than_the_header(buckets: type[Buckets]) -> None:
    buckets.objects["b/x"] = one(tensor("F32", "[1000000]", 0, 4_000_000), bytes(4_000_000))
    paramctl.open("s3://b/x")
    assert sum(end - begin for _, begin, end in buckets.asked) < 200_000


def test_an_object_that_changes_is_told(buckets: type[Buckets]) -> None:
    buckets.objects["b/x"] = one(F32)
    model = paramctl.open("s3://b/x")
    buckets.versions["b/x"] = '"2"'
    storage = model["w"].storage
    assert storage
    with pytest.raises(FileError, match="file changed"):
        storage.source.check_unchanged()


@pytest.mark.parametrize(
    ("failure", "kind", "what"),
    [
        (PermissionError("Forbidden"), DeniedError, "access is denied; set AWS_PROFILE"),
        (ValueError("Unable to locate credentials"), FileError, "credentials; set AWS_PROFILE"),
        (TimeoutError("slow"), FileError, "TimeoutError: slow"),
        (FileNotFoundError("x"), AbsentError, "no such object"),
    ],
)
def test_what_fails_is_told(
    failure: Exception, kind: type[Exception], what: str, buckets: type[Buckets]
) -> None:
    buckets.objects["b/x"] = one(F32)
    buckets.failure = failure
    with pytest.raises(kind, match=what):
        paramctl.open("s3://b/x")


def test_an_object_that_is_cut_short_is_told(
    buckets: type[Buckets], monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets.objects["b/x"] = one(F32)
    monkeypatch.setattr(buckets, "cat_file", lambda *_, **__: b"123")
    with pytest.raises(FileError, match="3 bytes came of the"):
        paramctl.open("s3://b/x")


def test_a_shard_that_is_not_there_is_missing(buckets: type[Buckets]) -> None:
    index = {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}
    buckets.objects |= {
        "b/m.index.json": json.dumps(index).encode(),
        "b/a.safetensors": one(F32, name='"a"'),
    }
    assert paramctl.open("gs://b/m.index.json").complaints == ("b.safetensors is missing",)


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_missing_package_is_named(
    scheme: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"needs {package}; pip install 'paramctl\[{scheme}\]'"):
        paramctl.open(f"{scheme}://bucket/x")


def test_deepspeed_s_latest_leads_to_its_step(buckets: type[Buckets]) -> None:
    folder = Path(__file__).parent / "files" / "deepspeed_zero3"
    for path in filter(Path.is_file, folder.rglob("*")):
        buckets.objects[f"b/run/{path.relative_to(folder)}"] = path.read_bytes()
    model = paramctl.open("s3://b/run/latest")
    assert list(model) == list(paramctl.open(folder))
    assert not model.missing
