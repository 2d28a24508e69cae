"""Models at URLs: the same as on a disk, and no more bytes of them than are asked for."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from forks import Forks
from hypothesis import given, settings
from hypothesis import strategies as st
from program import PARAMCTL
from safetensors_rows import F32, header, one, tensor
from web_server import Handler, Server, serving

import paramctl
from paramctl.checkpoint import ReadOptions
from paramctl.cli.declared import read_declaration
from paramctl.cli.names import list_names
from paramctl.errors import (
    AbsentError,
    FileError,
    MalformedError,
    ParamctlError,
    UnsafeError,
    UsageError,
)
from paramctl.remote import connections
from paramctl.remote.addresses import parse
from paramctl.remote.windows import FarSource

SAMPLES = Path(__file__).parents[1] / "sample_models"
MB = 1 << 20
SECRET = "s3cret"  # noqa: S105 (it is to be seen nowhere)


def write_sparse(path: Path, tensors: int, nbytes: int) -> None:
    """Write a file of zeros that takes no place."""
    parts = (
        f'"layers.{i}.weight":{tensor("F32", f"[{nbytes // 4}]", i * nbytes, (i + 1) * nbytes)}'
        for i in range(tensors)
    )
    with path.open("wb") as file:
        file.write(header(f"{{{','.join(parts)}}}"))
        file.truncate(file.tell() + tensors * nbytes)


@pytest.mark.parametrize(
    "name",
    [
        *("mlp.safetensors", "mlp.pt", "legacy.pt", "training.pt"),
        "gpt2/model.safetensors.index.json",
    ],
)
def test_a_model_is_the_same_as_on_the_disk(name: str, server: Server, forks: Forks) -> None:
    server.folder = SAMPLES
    here, there = (
        forks.run("ls", f"{place}/{name}", "--format", "json") for place in (SAMPLES, server.url)
    )
    assert (here.code, there.code, there.err) == (0, 0, here.err)
    assert json.loads(there.out.replace(server.url, str(SAMPLES))) == json.loads(here.out)


@pytest.mark.parametrize("name", ["mlp.pt", "gpt2/model.safetensors.index.json"])
def test_so_is_what_is_written_of_it(
    name: str, server: Server, tmp_path: Path, forks: Forks
) -> None:
    server.folder = SAMPLES
    for place, file in ((SAMPLES, "here"), (server.url, "there")):
        output = tmp_path / file
        run = forks.run("init", f"{place}/{name}", "--rule", "*.bias=zeros", "-o", output, "-q")
        assert (run.code, run.err) == (0, "")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


@pytest.mark.parametrize("verb", [["set", "w = 1"], ["rename", "w -> v"], ["show", "w"]])
def test_a_url_is_no_statement_whatever_it_holds(
    verb: list[str], server: Server, forks: Forks
) -> None:
    (server.folder / "x").write_bytes(one(F32))
    run = forks.run(verb[0], f"{server.url}/x?a=b->c", *verb[1:])
    assert (run.code, run.err) == (0, "")


def test_a_listing_of_100_gb_moves_the_header(server: Server, forks: Forks) -> None:
    write_sparse(server.folder / "x.safetensors", 100, 1000 * MB)
    run = forks.run("ls", f"{server.url}/x.safetensors")
    assert (run.code, run.out.count("\n"), run.err) == (0, 100, "")
    assert server.moved < MB // 4
    assert len(server.requests) == 2  # the header, and the end, where a zip's directory would be


def test_so_does_one_of_a_header_that_is_longer_than_the_first_read(server: Server) -> None:
    write_sparse(server.folder / "x.safetensors", 5_000, 20 * MB)
    model = paramctl.open(f"{server.url}/x.safetensors")
    storage = model["layers.0.weight"].storage
    assert storage
    assert storage.offset > MB // 4
    assert len(model) == 5_000
    assert server.moved < storage.offset + MB // 4
    assert len(server.requests) == 3


def test_a_slice_moves_its_bytes(server: Server, forks: Forks) -> None:
    write_sparse(server.folder / "x.safetensors", 100, 1000 * MB)
    run = forks.run("show", f"{server.url}/x.safetensors", "layers.99.weight[1000:1005]")
    assert "tensor([0., 0., 0., 0., 0.])" in run.out
    assert server.moved < MB // 4


def test_a_tensor_moves_its_bytes_and_no_others(server: Server, forks: Forks) -> None:
    write_sparse(server.folder / "x.safetensors", 3, 40 * MB)
    run = forks.run("stats", f"{server.url}/x.safetensors", "layers.1", "--format", "tsv")
    assert run.code == 0, run.err
    assert 40 * MB <= server.moved < 40 * MB + MB // 4
    assert len(server.requests) < 10


def test_a_shard_that_is_not_there_is_missing(server: Server) -> None:
    (server.folder / "a.safetensors").write_bytes(one(F32, name='"a"'))
    index = {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}
    (server.folder / "m.index.json").write_text(json.dumps(index))
    model = paramctl.open(f"{server.url}/m.index.json")
    assert model.complaints == ("b.safetensors is missing",)
    assert list(model) == ["a", "b"]


def test_a_config_that_is_not_there_declares_nothing(server: Server) -> None:
    (server.folder / "x").write_bytes(one(F32))
    with pytest.raises(UsageError, match=r"no config\.json beside it"):
        read_declaration(paramctl.open(f"{server.url}/x"))
    assert server.requests[-1][0] == "/config.json"


class Far(FarSource):
    """Bytes that are far, and what was asked for of them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []
        super().__init__("far", len(data), data[:10])

    def _fetch(self, begin: int, end: int) -> bytes:
        self.asked.append((begin, end))
        return self.data[begin:end]


DATA = bytes(i * i % 251 for i in range(1 << 16)) * 40


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, len(DATA)), st.integers(0, 1 << 21)), max_size=30))
def test_what_is_read_is_what_there_is(reads: list[tuple[int, int]]) -> None:
    far = Far(DATA)
    ranges = [(offset, min(length, len(DATA) - offset)) for offset, length in reads]
    for offset, length in ranges:
        assert far.read(offset, length) == DATA[offset : offset + length]
    assert all(begin < end <= len(DATA) for begin, end in far.asked)
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda each: far.read(*each), ranges)
        assert list(found) == [DATA[offset : offset + length] for offset, length in ranges]


def test_short_reads_in_order_ask_seldom() -> None:
    far = Far(DATA)
    for offset in range(0, len(DATA), 100):
        far.read(offset, min(100, len(DATA) - offset))
    assert len(far.asked) < 10


def no_parts(handler: Handler) -> None:
    handler.serve(handler.server.folder / "x", parts=False)


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[Handler], None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.say(status, named, body)


def part(told: str, body: bytes = b"12345678", **headers: str) -> Callable[[Handler], None]:
    return answer(206, body, Content_Range=told, **headers)


def break_off(handler: Handler) -> None:
    handler.start(206, {"Content-Range": "bytes 0-99/100", "Content-Length": "100"})
    handler.send(b"1234")
    handler.close_connection = True


def break_off_chunks(handler: Handler) -> None:
    handler.start(206, {"Content-Range": "bytes 0-99/100", "Transfer-Encoding": "chunked"})
    handler.send(b"64\r\n1234")
    handler.close_connection = True


def endless_chunks(handler: Handler) -> None:
    handler.start(206, {"Content-Range": "bytes 0-7/8", "Transfer-Encoding": "chunked"})
    for _ in range(10_000):
        handler.send(b"100\r\n" + bytes(256) + b"\r\n")


def hang(handler: Handler) -> None:
    time.sleep(1)
    handler.close_connection = True


def hang_inside(handler: Handler) -> None:
    handler.start(206, {"Content-Range": "bytes 0-99/100", "Content-Length": "100"})
    handler.send(b"1234")
    hang(handler)


def no_http(handler: Handler) -> None:
    handler.wfile.write(b"220 smtp.example.com\r\n")
    handler.close_connection = True


def many_headers(handler: Handler) -> None:
    handler.start(206, {f"X-{i}": "x" for i in range(1000)})


def silent(handler: Handler) -> None:
    handler.close_connection = True


def all_of_it(handler: Handler) -> None:
    handler.start(200, {"Content-Length": str(100 << 30)})
    handler.send(bytes(MB))


def of_no_length(handler: Handler) -> None:
    handler.start(200, {"Connection": "close"})
    handler.send(one(F32))


LIES = "asked for, and the server says that it sends"
LOG_IN = "download the file first, or put USER:PASSWORD@ before its host"
BAD_ANSWERS = {
    "no-parts-of-100-gb": (
        all_of_it,
        "does not serve parts of files, and all of it is 107374182400",
    ),
    "no-length": (of_no_length, "does not say how long the file is; download the file first"),
    "other-begin": (part("bytes 8-15/100"), LIES),
    "less": (part("bytes 0-7/100"), LIES),
    "more": (part("bytes 0-99999/100000"), LIES),
    "past-its-end": (part("bytes 0-7/4"), LIES),
    "no-total": (part("bytes 0-7/*"), LIES),
    "negative": (part("bytes 0--7/8"), LIES),
    "huge": (part(f"bytes 0-7/{'9' * 5000}"), LIES),
    "no-range": (answer(206, b"12345678"), LIES),
    "several-parts": (answer(206, b"--x", Content_Type="multipart/byteranges"), LIES),
    "length-too-small": (part("bytes 0-99/100"), "8 of them"),
    "length-too-large": (part("bytes 0-3/4"), "8 of them"),
    "length-no-number": (part("bytes 0-7/8", Content_Length="x"), "does not answer|broke off|more"),
    "packed": (part("bytes 0-7/8", Content_Encoding="gzip"), "packed, by gzip"),
    "breaks-off": (break_off, "broke off after 4 of 100 bytes; try again"),
    "breaks-off-in-a-chunk": (break_off_chunks, "broke off"),
    "chunks-without-end": (endless_chunks, "more than the 8 bytes"),
    "hangs": (hang, "does not answer; try again"),
    "hangs-inside": (hang_inside, "does not answer; try again"),
    "no-http": (no_http, "no answer of HTTP"),
    "many-headers": (many_headers, "no answer of HTTP"),
    "silent": (silent, "broke off"),
    "unauthorized": (answer(401), f"refuses it: 401 Unauthorized; {LOG_IN}$"),
    "forbidden": (answer(403), f"refuses it: 403 Forbidden; {LOG_IN}$"),
    "absent": (answer(404), "has no such file: 404 Not Found"),
    "gone": (answer(410), "has no such file: 410 Gone"),
    "no-such-part": (answer(416, Content_Range="bytes */7"), LIES),
    "too-many-requests": (answer(429), "does not serve it: 429 Too Many Requests; try again"),
    "broken": (answer(500), "does not serve it: 500 Internal Server Error; try again"),
    "no-content": (answer(204), "does not serve it: 204"),
    "redirect-to-nowhere": (answer(302), "does not serve it: 302"),
    "redirect-to-no-url": (answer(302, Location="http://[::1"), "redirected to what is no URL"),
    "redirect-to-itself": (answer(302, Location="/x"), "redirected more than 10 times"),
}


@pytest.mark.parametrize("row", BAD_ANSWERS)
def test_a_bad_answer_is_told(row: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.2)
    server.answers["/x"], what = BAD_ANSWERS[row]
    with pytest.raises(FileError, match=what) as error:
        paramctl.open(f"{server.url}/x")
    assert error.value.exit_code == 6
    assert error.value.file == f"{server.url}/x"
    assert server.moved < 4 * MB


VALUE = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n/"), max_size=20)
HEADER = st.tuples(
    st.sampled_from(["Content-Length", "Content-Range", "Transfer-Encoding", "Location", "ETag"]),
    st.sampled_from(["8", "-1", "chunked", "bytes 0-7/8", "/y", ""]) | VALUE,
)


def test_any_answer_is_a_model_or_told_to_be_none(server: Server) -> None:
    whole = b""

    def say(handler: Handler) -> None:
        handler.wfile.write(whole)
        handler.close_connection = True

    @settings(max_examples=100)
    @given(
        st.sampled_from([100, 200, 206, 302, 416]),
        st.lists(HEADER, max_size=4),
        st.binary(max_size=100),
    )
    def open_answer(status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        nonlocal whole
        lines = [f"HTTP/1.1 {status} x", *(": ".join(header) for header in headers)]
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        with suppress(ParamctlError):
            paramctl.open(f"{server.url}/x")

    server.answers |= {"/x": say, "/y": say}
    open_answer()


@pytest.mark.parametrize("where", ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://x/y", "data:,"])
def test_no_redirect_leaves_the_web(where: str, server: Server, forks: Forks) -> None:
    server.answers["/x"] = answer(302, Location=where)
    run = forks.run("ls", f"{server.url}/x")
    assert (run.code, run.out) == (4, "")
    assert "only http and https are followed" in run.err


def test_nor_goes_from_https_to_http() -> None:
    with pytest.raises(UnsafeError, match="from https to http"):
        parse("https://example.com/x").redirect("http://example.com/x")


def test_nor_from_elsewhere_to_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)  # it answers for all the world
    server.answers["/x"] = answer(302, Location="http://127.0.0.1:1/y")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(UnsafeError, match="redirected to this machine"):
        paramctl.open("http://93.184.216.34/x")


def test_a_redirect_is_followed_once(server: Server) -> None:
    write_sparse(server.folder / "y", 1, MB)
    server.answers["/x"] = answer(307, Location="y?signature=1")
    model = paramctl.open(f"{server.url}/x")
    assert model.file == f"{server.url}/x"
    assert [path for path, *_ in server.requests] == ["/x", "/y", "/y"]


def test_one_that_has_expired_is_asked_for_again(server: Server) -> None:
    write_sparse(server.folder / "y", 1, MB)
    server.answers["/x"] = answer(307, Location="y")
    model = paramctl.open(f"{server.url}/x")
    (server.folder / "z").hardlink_to(server.folder / "y")
    server.answers |= {"/x": answer(307, Location="z"), "/y": answer(403)}
    storage = model["layers.0.weight"].storage
    assert storage
    assert storage.source.read(MB // 2, 4) == bytes(4)


@pytest.mark.parametrize("etag", ['"1"', ""])
def test_a_file_that_changes_is_told(etag: str, server: Server) -> None:
    write_sparse(server.folder / "x", 2, MB)
    server.etag = etag
    model = paramctl.open(f"{server.url}/x")
    write_sparse(server.folder / "x", 2, MB if etag else 2 * MB)
    server.etag = etag.replace("1", "2")
    storage = model["layers.1.weight"].storage
    assert storage
    with pytest.raises(FileError, match="file changed while it was read"):
        storage.source.read(MB, 4)


def test_an_idle_connection_may_end(server: Server) -> None:
    write_sparse(server.folder / "x", 2, MB)

    def serve_last(handler: Handler) -> None:
        handler.serve(server.folder / "x")
        handler.close_connection = True

    server.answers["/x"] = serve_last
    assert len(paramctl.open(f"{server.url}/x")) == 2


def test_a_small_file_is_read_from_a_server_that_serves_no_parts(server: Server) -> None:
    write_sparse(server.folder / "x", 2, MB)
    server.answers["/x"] = no_parts
    model = paramctl.open(f"{server.url}/x")
    assert [entry.nbytes for entry in model.values()] == [MB, MB]
    assert len(server.requests) == 1


def test_an_empty_file_is_empty(server: Server) -> None:
    (server.folder / "x").touch()
    with pytest.raises(MalformedError, match="file is empty"):
        paramctl.open(f"{server.url}/x")


def test_a_web_page_is_not_a_model(server: Server) -> None:
    (server.folder / "x").write_bytes(b"<!DOCTYPE html><html>")
    with pytest.raises(MalformedError, match="a web page"):
        paramctl.open(f"{server.url}/x")


def test_https_is_spoken_to_what_says_so(server: Server) -> None:
    with pytest.raises(FileError, match="SSL"):
        paramctl.open(f"{server.url.replace('http', 'https')}/x")


@settings(max_examples=50)
@given(st.text() | st.from_regex(r"[^/]*(/[^?]*)?([?].*)?", fullmatch=True))
def test_any_text_is_a_url_or_told_to_be_none(text: str) -> None:
    try:
        address = parse(f"https://{text}")
    except UsageError:
        return
    assert address.target.isascii()
    assert address.target.startswith("/")
    assert not set(address.target) & set(" \r\n")
    assert parse(address.shown)._replace(query=address.query, login=address.login) == address


@settings(max_examples=50)
@given(st.text() | st.from_regex(r"([a-z]+:)?(//)?[^/]*(/.*)?", fullmatch=True))
def test_any_redirect_stays_at_https_or_is_told(text: str) -> None:
    start = parse("https://me:pass@example.com/a/b?c")
    try:
        address = start.redirect(text)
    except (FileError, UnsafeError):
        return
    assert address.origin.scheme == "https"
    assert bool(address.login) == (address.origin == start.origin)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://:80/x",
        "http://x:y/z",
        "https://[::1/x",
        "http://a..b/x",
        f"http://{'a' * 300}/",
        "http://x/\ud800",
        "hf://",
        "hf://a@",
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(UsageError):
        paramctl.open(url)


@pytest.mark.parametrize("url", ["ftp://x/y.pt", "file:///x/y.pt", "HTTPS://x/y.pt"])
def test_a_url_of_another_kind_is_told_those_that_are_read(url: str, forks: Forks) -> None:
    run = forks.run("ls", url)
    told = "a URL of another kind; models are read at http://, https://, s3://, gs://, hf://"
    assert (run.code, run.err) == (2, f"paramctl: {url}: {told}\n")


@pytest.mark.parametrize(
    ("path", "is_folder"), [("a", True), ("a/", True), ("llama-3.1-8b", True), ("x.h5", False)]
)
def test_a_folder_on_a_server_is_told_to_have_no_list(
    path: str, server: Server, *, is_folder: bool
) -> None:
    with pytest.raises(AbsentError) as error:
        paramctl.open(f"{server.url}/{path}")
    assert ("name the file, such as model.safetensors.index.json" in str(error.value)) == is_folder


def test_users_and_passwords_log_in_and_only_there(server: Server) -> None:
    (server.folder / "x").write_bytes(one(F32))
    with serving(server.folder) as other:
        server.answers["/y"] = answer(302, Location=f"{other.url}/x")
        url = server.url.replace("//", "//me:a%20b@")
        paramctl.open(f"{url}/x")
        paramctl.open(f"{url}/y")
        logins = [headers.get("Authorization") for *_, headers in server.requests + other.requests]
    assert logins == ["Basic bWU6YSBi", "Basic bWU6YSBi", None]


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls", "URL/m.index.json", "--format", "json"],
        ["ls", "URL/m.index.json", "--format", "table"],
        ["check", "URL/m.index.json", "--format", "json"],
        ["meta", "URL/m.index.json"],
        ["ls", "URL/nothing"],
        ["ls", "URL/forbidden"],
        ["ls", "URL/m.index.json", "URL/nothing"],
        ["diff", "URL/m.index.json", "URL/x", "--format", "json"],
        ["init", "URL/x", "--scheme", "zeros", "-i"],
        ["init", "URL/x", "--scheme", "zeros", "-o", "URL/y"],
        ["init", "URL/m.index.json", "--scheme", "zeros", "--seed", "0", "-o", "OUT"],
        ["tie", "URL/x", "--equal"],
    ],
)
def test_what_is_secret_is_not_told(
    arguments: list[str], server: Server, tmp_path: Path, forks: Forks
) -> None:
    (server.folder / "x").write_bytes(one(F32))
    (server.folder / "m.index.json").write_text(json.dumps({"weight_map": {"w": "x"}}))
    server.answers["/forbidden"] = answer(403)
    output = tmp_path / "out.safetensors"
    url = server.url.replace("//", f"//me:{SECRET}@")
    run = forks.run(
        *(
            word.replace("URL", url).replace("OUT", str(output))
            + (f"?token={SECRET}&X-Amz-Signature={SECRET}" if "URL" in word else "")
            for word in arguments
        )
    )
    written = output.read_bytes() if output.exists() else b""
    assert run.out or run.err or written
    assert SECRET not in run.out + run.err
    assert SECRET.encode() not in written
    assert run.code != 70, run.err


def test_a_proxy_of_the_environment_is_asked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:pass@"))
    (server.folder / "x").write_bytes(one(F32))
    assert list(paramctl.open("http://models.invalid/x")) == ["w"]
    _, _, headers = server.requests[0]
    assert (headers["Host"], headers["Proxy-Authorization"]) == (
        "models.invalid",
        "Basic bWU6cGFzcw==",
    )


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://x:y"])
def test_a_proxy_that_cannot_be_asked_is_told(
    proxy: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UsageError) as error:
        paramctl.open(f"{server.url}/x")
    assert str(error.value) == "http_proxy: a URL that cannot be read"


def test_completion_asks_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{server.url}/mlp.pt"
    assert list_names([url], "", ReadOptions()) == []
    monkeypatch.setenv("PARAMCTL_MODEL", url)
    assert list_names([], "", ReadOptions()) == []
    assert server.requests == []


@pytest.mark.parametrize("verb", [["ls"], ["stats"]])
def test_ctrl_c_ends_a_run_that_waits(verb: list[str], server: Server) -> None:
    write_sparse(server.folder / "x", 3, 40 * MB)
    waits, goes_on = threading.Event(), threading.Event()

    def wait(handler: Handler) -> None:
        if len(server.requests) > 2 or verb == ["ls"]:
            waits.set()
            goes_on.wait(20)
        handler.serve(server.folder / "x")

    server.answers["/x"] = wait
    process = subprocess.Popen(
        [PARAMCTL, *verb, f"{server.url}/x"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert waits.wait(20)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    goes_on.set()
    assert (process.returncode, out, err) == (-signal.SIGINT, b"", b"")
