"""Models on the Hugging Face Hub: a server on this machine answers as the Hub does."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors_rows import F32, one
from web_server import Handler, Server, serving

import paramctl
from paramctl.errors import AbsentError, DeniedError, FileError, MalformedError, UsageError

GPT2 = Path(__file__).parents[1] / "sample_models" / "gpt2"
COMMIT = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
REPOSITORY = "org/repo"
SURROGATE = rb'{"sha": "\ud800", "siblings": []}'
NAMES = [*sorted(path.name for path in GPT2.iterdir()), "ema/model.safetensors", "README.md"]


class Hub:
    """What a server answers for the Hub: the names of a repository's files, and where they are."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.files = "/cdn"
        told = {
            "id": REPOSITORY,
            "sha": COMMIT,
            "siblings": [{"rfilename": name} for name in NAMES],
        }
        for revision in ("main", "v1.0", "refs/pr/1"):
            path = f"/api/models/{REPOSITORY}/revision/{revision}"
            server.answers[path] = lambda handler: handler.say(200, {}, json.dumps(told).encode())
        for name in NAMES:
            server.answers[f"/{REPOSITORY}/resolve/{COMMIT}/{name}"] = self.redirect
            (server.folder / "cdn" / name).parent.mkdir(parents=True, exist_ok=True)
            copied = GPT2 / name
            (server.folder / "cdn" / name).write_bytes(
                copied.read_bytes() if copied.exists() else one(F32)
            )

    def redirect(self, handler: Handler) -> None:
        """Say where a file's bytes are, as the Hub does."""
        name = handler.path.partition(COMMIT)[2]
        handler.say(302, {"Location": f"{self.files}{name}?X-Amz-Signature=s3cret"}, b"Found")


@pytest.fixture
def hub(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return Hub(server)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("hf://org/repo", "hf://org/repo/model.safetensors.index.json"),
        ("hf://org/repo/", "hf://org/repo/model.safetensors.index.json"),
        ("hf://org/repo@v1.0", "hf://org/repo@v1.0/model.safetensors.index.json"),
        ("hf://org/repo@refs/pr/1", "hf://org/repo@refs/pr/1/model.safetensors.index.json"),
        ("hf://org/repo@refs%2Fpr%2F1", "hf://org/repo@refs%2Fpr%2F1/model.safetensors.index.json"),
        ("hf://org/repo/ema", "hf://org/repo/ema/model.safetensors"),
        ("hf://org/repo@main/ema/model.safetensors", "hf://org/repo@main/ema/model.safetensors"),
    ],
)
def test_a_repository_is_read_as_its_folder_would_be(url: str, file: str, hub: Hub) -> None:
    model = paramctl.open(url)
    assert model.file == file
    local = GPT2 if "index" in file else hub.server.folder / "cdn" / "ema" / "model.safetensors"
    assert list(model) == list(paramctl.open(local))


def test_few_requests_are_made_and_all_of_one_commit(hub: Hub) -> None:
    paramctl.open("hf://org/repo")
    paths = [path for path, *_ in hub.server.requests]
    assert paths[0] == "/api/models/org/repo/revision/main"
    assert len(paths) == 1 + 2 * 3  # the index and two shards, each redirected once
    assert all(COMMIT in path or path.startswith("/cdn/") for path in paths[1:])


def test_the_addresses_are_those_that_huggingface_hub_asks(hub: Hub) -> None:
    from huggingface_hub import HfApi, close_session, hf_hub_url  # noqa: PLC0415 (takes 0.5 s)

    server = hub.server
    paramctl.open("hf://org/repo@refs/pr/1/ema/model.safetensors")
    ours = [path for path, *_ in server.requests][:2]
    api = HfApi(endpoint=server.url, token=False)
    info = api.model_info("org/repo", revision="refs/pr/1")
    close_session()
    assert (info.sha, [file.rfilename for file in info.siblings or []]) == (COMMIT, NAMES)
    file = hf_hub_url("org/repo", "ema/model.safetensors", revision=COMMIT, endpoint=server.url)
    assert ours == [server.requests[-1][0], file.removeprefix(server.url)]


@pytest.mark.parametrize("where", ["variable", "file", "nowhere"])
def test_the_token_goes_to_the_hub_alone(
    where: str, hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if where == "variable":
        monkeypatch.setenv("HF_TOKEN", "hf_x\n")
    elif where == "file":
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "token").write_text("hf_x\n")
    with serving(hub.server.folder) as other:
        hub.files = f"{other.url}/cdn"
        paramctl.open("hf://org/repo")
        sent = {headers.get("Authorization") for *_, headers in hub.server.requests}
        assert sent == {None if where == "nowhere" else "Bearer hf_x"}
        assert {headers.get("Authorization") for *_, headers in other.requests} == {None}


@pytest.mark.parametrize(
    ("url", "error", "what"),
    [
        ("hf://org/repo/model.safetensor", AbsentError, "closest: .*model.safetensors"),
        ("hf://org/repo/emu", AbsentError, "no such file in the repository"),
        ("hf://org/repo@v2", AbsentError, "has no such file: 404"),
        ("hf://org/private", DeniedError, "refuses it: 401 .*; .*set HF_TOKEN, or run 'hf auth"),
        ("hf://org/broken", FileError, "not a list of a repository's files"),
        ("hf://org/nothing", MalformedError, "a folder without a model"),
        ("hf://org", AbsentError, "has no such file: 404"),
        ("hf://", UsageError, "hf://ORGANISATION/REPOSITORY@REVISION/FILE"),
        ("hf://a b/c", UsageError, "names no repository"),
    ],
)
def test_what_is_not_there_is_told(url: str, error: type[Exception], what: str, hub: Hub) -> None:
    answers = hub.server.answers
    api = "/api/models/org/{}/revision/main".format
    answers[api("private")] = lambda handler: handler.say(401)
    answers[api("broken")] = lambda handler: handler.say(200, {}, b'{"sha": 1}')
    answers[api("nothing")] = lambda handler: handler.say(
        200, {}, b'{"sha": "1", "siblings": [{"rfilename": "README.md"}]}'
    )
    with pytest.raises(error, match=what):
        paramctl.open(url)


@pytest.mark.parametrize(
    "answer", [b"[" * 100_000, b"\xff", b"null", b'{"sha":1,"siblings":[1]}', SURROGATE]
)
def test_an_answer_that_is_none_of_the_hub_s_is_told(answer: bytes, hub: Hub) -> None:
    path = "/api/models/org/repo/revision/main"
    hub.server.answers[path] = lambda handler: handler.say(200, {}, answer)
    with pytest.raises(FileError, match="not a list of a repository's files"):
        paramctl.open("hf://org/repo")


def test_neither_token_nor_signature_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_s3cret")
    hub.server.answers["/cdn/model-00001-of-00002.safetensors"] = lambda handler: handler.say(500)
    with pytest.raises(FileError) as error:
        paramctl.open("hf://org/repo")
    assert "500" in str(error.value)
    assert "s3cret" not in str(error.value)
    assert error.value.file == "hf://org/repo/model-00001-of-00002.safetensors"


def test_a_folder_of_deepspeed_is_its_last_step(hub: Hub) -> None:
    folder, server = Path(__file__).parent / "files" / "deepspeed_zero3", hub.server
    names = [f"run/{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()]
    told = {"sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
    answer = json.dumps(told).encode()
    server.answers["/api/models/org/deep/revision/main"] = lambda h: h.say(200, {}, answer)
    held = server.folder / "org" / "deep" / "resolve" / COMMIT
    shutil.copytree(folder, held / "run")
    model = paramctl.open("hf://org/deep/run")
    assert model.file.startswith("hf://org/deep/run/global_step1/zero_pp_rank_0_")
    assert list(model) == list(paramctl.open(folder))
    assert not model.missing
