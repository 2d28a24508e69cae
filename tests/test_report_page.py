"""The page of `paramctl report`, in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browser import open_page, start_browser
from forks import Forks
from playwright.sync_api import Browser, Page
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_models"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "&amp;&lt;b&gt;",
    """it's "quoted" `x` ${y} {{document}} %{value}""",
    "<b>bold</b><br><a href='http://example.com/'>go</a>",
    "constructor.__proto__",
    "<!--<script>",
    "a\u202eb\x1b[31m\u2028\x00",
    "",
]
pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with start_browser() as browser:
        yield browser


def report(forks: Forks, folder: Path, *arguments: str | Path) -> Path:
    """Return the page of a model."""
    path = folder / "report.html"
    run = forks.run("report", *arguments, "-o", path, "--force", "--quiet")
    assert (run.code, run.out, run.err) == (0, "", "")
    return path


@pytest.fixture(scope="module")
def gpt2_page(
    browser: Browser, forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """Return a page that several tests look at, whatever those before have done to it."""
    path = report(forks, tmp_path_factory.mktemp("gpt2"), SAMPLES / "gpt2")
    with open_page(browser, path) as page:
        yield page


@pytest.fixture
def gpt2(gpt2_page: Page) -> Page:
    gpt2_page.locator("#search").fill("")
    gpt2_page.locator("#unfold").click()
    return gpt2_page


def names(page: Page) -> list[str]:
    return page.locator(".body .name .label").all_inner_texts()


def test_it_fits_every_width_in_light_and_dark(gpt2: Page) -> None:
    overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert gpt2.locator("h1").inner_text() == "gpt2"
    assert "nothing found" in gpt2.locator("#findings-note").inner_text()
    for scheme, color in ("dark", "rgb(18, 22, 29)"), ("light", "rgb(255, 255, 255)"):
        gpt2.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in (400, 800, 1400):
            gpt2.set_viewport_size({"width": width, "height": 900})
            assert gpt2.evaluate(overhang) == 0
            assert gpt2.locator("#treemap .slice").count() > 10
        assert gpt2.evaluate("getComputedStyle(document.body).backgroundColor") == color


def test_search_shows_what_has_all_words_and_the_layers_above(gpt2: Page) -> None:
    count = gpt2.locator("#count")
    gpt2.locator("h1").click()
    gpt2.keyboard.press("/")
    gpt2.keyboard.type("C_FC bias")
    assert names(gpt2) == ["h", *(each for n in "0123" for each in (n, "mlp", "c_fc", "bias"))]
    assert count.inner_text() == "4 of 52 parameters"
    assert gpt2.locator("mark").first.inner_text() == "c_fc"
    gpt2.keyboard.press("Escape")
    assert count.inner_text() == "52 parameters"
    gpt2.keyboard.type("[16, 64]")
    assert count.inner_text() == "4 of 52 parameters"
    gpt2.keyboard.type(" nothing")
    assert names(gpt2) == []


def test_layers_fold_by_buttons_and_keys(gpt2: Page) -> None:
    unfolded = names(gpt2)
    first = gpt2.locator(".fold").first
    assert first.get_attribute("aria-expanded") == "true"
    first.click()
    assert "attn" not in names(gpt2)
    assert first.get_attribute("aria-expanded") == "false"
    gpt2.locator("#table").focus()
    for key in ("Home", "ArrowRight"):
        gpt2.keyboard.press(key)
    assert names(gpt2) == unfolded
    gpt2.keyboard.press("ArrowRight")
    assert gpt2.locator("[aria-selected=true] .label").inner_text() == "0"
    gpt2.keyboard.press("ArrowLeft")
    assert gpt2.locator("[aria-selected=true]").get_attribute("aria-expanded") == "false"
    gpt2.keyboard.press("ArrowLeft")
    assert gpt2.locator("[aria-selected=true] .label").inner_text() == "h"
    gpt2.locator("#fold").click()
    assert names(gpt2) == ["h", "ln_f", "wpe.weight", "wte.weight"]
    gpt2.locator("#unfold").click()
    assert names(gpt2) == unfolded


def test_a_chosen_parameter_tells_all_of_itself(gpt2: Page) -> None:
    name = "h.0.mlp.c_fc.weight"
    shard = next(f for f in (SAMPLES / "gpt2").glob("*.safetensors") if name in load_file(f))
    values = load_file(shard)[name].double()
    gpt2.locator("#search").fill(name)
    gpt2.keyboard.press("ArrowDown")
    gpt2.keyboard.press("End")
    details = gpt2.locator("#details")
    assert details.locator("h3").inner_text() == name
    labels, texts = (details.locator(each).all_inner_texts() for each in ("dt", "dd"))
    facts = dict(zip(labels, texts, strict=True))
    assert facts["shape"] == "[16, 64]"
    assert float(facts["std"]) == pytest.approx(float(values.std(correction=0)), rel=1e-3)
    assert float(facts["min"]) == pytest.approx(float(values.min()), rel=1e-3)
    assert details.locator(".barlayer .point").count() == 64
    details.get_by_text("log scale").click()
    assert details.get_by_text("log scale").get_attribute("aria-pressed") == "true"


def test_columns_sort(gpt2: Page) -> None:
    button = gpt2.locator("[data-column=values] button")
    button.click()
    cells = gpt2.locator(".body .cell.values").all_inner_texts()
    counts = [int(cell.replace(",", "")) for cell in cells]
    assert counts == sorted(counts, reverse=True)
    assert names(gpt2)[-1].startswith("h.")
    button.click()
    assert names(gpt2)[0] == "h"


def test_a_box_that_is_clicked_is_found_in_the_table(gpt2: Page) -> None:
    box = gpt2.locator("#treemap .slice", has_text="wte.weight").last
    box.hover()
    hover = gpt2.locator("#treemap .hoverlayer").text_content() or ""
    assert "1,024 values, 6.97% of all" in hover
    box.click()
    assert gpt2.locator("#details h3").inner_text() == "wte.weight"


@pytest.fixture(scope="module")
def hostile(
    browser: Browser, forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """Return the page of two models whose names and metadata are hostile, and that differ."""
    folder = tmp_path_factory.mktemp("hostile")
    tensors = {name: torch.randn(4, 3) for name in HOSTILE}
    tensors[f"{HOSTILE[0]}.in.<i>layer</i>"] = torch.full((8, 8), torch.nan)
    aliases = {f"<s>tied</s>{place}": name for place, name in enumerate(HOSTILE)}
    metadata = {
        **aliases,
        HOSTILE[0]: HOSTILE[1],
        "paramctl.init": json.dumps(
            [{"scheme": each, "rule": each, "seed": 1, "parameters": HOSTILE} for each in HOSTILE]
        ),
    }
    save_file(tensors, folder / "<b>&model.safetensors", metadata)
    changed = {name: value + 1 for name, value in tensors.items()} | {"<u>new": torch.zeros(2)}
    save_file(changed, folder / "other.safetensors", {HOSTILE[2]: HOSTILE[3]})
    model, other = folder / "<b>&model.safetensors", folder / "other.safetensors"
    path = report(forks, folder, model, "--against", other)
    with open_page(browser, path) as page:
        yield page


def test_names_that_hold_html_are_text(hostile: Page) -> None:
    shown = "\n".join([hostile.locator("h1").inner_text(), *names(hostile)])
    for name in HOSTILE[:5]:
        assert all(part in shown for part in name.split("."))
    assert "<b>&model.safetensors" in shown
    assert "''" in names(hostile)
    assert r"a\u202eb\x1b[31m\u2028\x00" in shown
    for row in hostile.locator(".body .row").all():
        row.click()
    assert hostile.locator("main img, main a[href], main b, main u, main s").count() == 0
    assert hostile.locator("script").count() == 3


@pytest.mark.parametrize("picture", ["#treemap", "#tie-graph"])
def test_pictures_take_names_as_text(hostile: Page, picture: str) -> None:
    texts = hostile.locator(f"{picture} text").all_text_contents()
    for name in (HOSTILE[0], HOSTILE[2], "<b>bold</b><br>", "%{value}"):
        assert any(name in text for text in texts)
    assert hostile.locator(f"{picture} a, {picture} image").count() == 0


@pytest.fixture(scope="module")
def shared(
    browser: Browser, forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """Return the page of a model with ties, and of another one that differs."""
    model, folder = SAMPLES / "shared.pt", tmp_path_factory.mktemp("shared")
    changed = folder / "changed.safetensors"
    assert not forks.run("set", model, "0.weight *= 3", "-o", changed).code
    with open_page(browser, report(forks, folder, model, "--against", changed)) as page:
        yield page


def test_another_model_is_compared(shared: Page) -> None:
    row = shared.locator("#comparison-list tbody tr")
    cells = row.first.locator("td").all_inner_texts()
    assert cells[:3] == ["changed", "0.weight", "float32 [8, 4]"]
    assert cells[5] == "1"
    row.first.locator("button").click()
    assert shared.locator("#details h3").inner_text() == "0.weight"
    assert shared.locator("#histogram .scatterlayer path.js-line").count() == 1


def test_ties_are_a_graph(shared: Page) -> None:
    texts = shared.locator("#tie-graph .textpoint").all_text_contents()
    assert sorted(texts) == ["2.bias", "2.weight", "4.bias", "4.weight"]
    assert shared.locator("#tie-graph .shapelayer path").count() == 2
    tied = shared.locator(".body .row", has_text="= 2.weight")
    assert tied.locator(".cell.values").inner_text() == "64"
    tied.click()
    assert shared.locator("#details .link").all_inner_texts() == ["2.weight"]


def test_hard_values_are_drawn(browser: Browser, forks: Forks, tmp_path: Path) -> None:
    state = {
        "nan": torch.full((3, 4), torch.nan),
        "inf": torch.tensor([torch.inf, -torch.inf, 1.0]),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(2.5),
        "equal": torch.full((9, 9), 1e30),
        "huge": torch.tensor([1.7e308, -1.7e308], dtype=torch.float64),
        "tiny": torch.tensor([0, 5e-324], dtype=torch.float64),
        "bool": torch.tensor([True, False]),
        "complex": torch.randn(5, dtype=torch.complex64),
        "float8": torch.randn(8, 8).to(torch.float8_e4m3fn),
        "sparse": torch.eye(3).to_sparse(),
        "x" * 5000: torch.randn(3),
        "n": torch.tensor(7),
    }
    torch.save(state, tmp_path / "hard.pt")
    with open_page(browser, report(forks, tmp_path, tmp_path / "hard.pt")) as page:
        rows = page.locator(".body .row")
        assert rows.count() == len(state)
        for line in range(rows.count()):
            rows.nth(line).click()
            assert page.locator("#details h3").inner_text()
        told = page.locator("#details").inner_text()
        assert "NaN" not in told


def test_a_plan_has_a_page(browser: Browser, torch_forks: Forks, tmp_path: Path) -> None:
    path = report(torch_forks, tmp_path, SAMPLES / "mlp.yaml")
    with open_page(browser, path) as page:
        assert page.locator("#numbers").inner_text().split("\n")[-1] == "planned"
        assert page.locator("#treemap .slice").count() > 2
        page.locator(".body .row").last.click()
        told = page.locator("#details").inner_text()
        assert told.startswith("2.bias")
        assert "planned" in told


def test_a_model_without_parameters_has_a_page(
    browser: Browser, forks: Forks, tmp_path: Path
) -> None:
    save_file({}, tmp_path / "empty")
    with open_page(browser, report(forks, tmp_path, tmp_path / "empty")) as page:
        assert page.locator("#map-note").inner_text() == "There are no values to draw."
        assert page.locator("#count").inner_text() == "0 parameters"


def test_of_very_many_rows_those_in_sight_are_drawn(
    browser: Browser, forks: Forks, tmp_path: Path
) -> None:
    state = {f"layers.{n // 4}.{'qkvo'[n % 4]}.weight": torch.zeros(2) for n in range(2500)}
    save_file(state, tmp_path / "many")
    with open_page(browser, report(forks, tmp_path, tmp_path / "many")) as page:
        page.locator("#unfold").click()
        assert page.locator("#table").get_attribute("aria-rowcount") == "3127"
        assert page.locator(".body .row").count() < 100
        page.locator("#table").focus()
        page.keyboard.press("End")
        assert names(page)[-1] == "v.weight"
        assert "small histograms only" in page.locator("#table-note").inner_text()
        assert "too small to see" in page.locator("#map-note").inner_text()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".body .row").count() == 1000
        assert page.locator("#print-note").inner_text().startswith("2,126 more rows")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(".body .row").count() < 100
