"""Time `paramctl report` and how long a page takes to open: `python benchmarks/report.py [COUNT]`.

The time to open is that of Chromium without a window, from the address to the last picture drawn; a
page of 2,000 parameters is to take less than 3 s.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import which
from statistics import median

from change import PARAMCTL
from measuring import run
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

RUNS = 5
COUNTS = (200, 2_000, 100_000)
BUDGETS = {2_000: 3.0}  # seconds to open
MAKE = """
import sys, torch
from safetensors.torch import save_file
names = (f"h.{n // 8}.{'attn' if n % 8 < 4 else 'mlp'}.{'qkvoudgn'[n % 8]}.weight"
         for n in range(int(sys.argv[1])))
save_file({name: torch.randn(32, 16) for name in names}, sys.argv[2])
"""


def time_to_open(browser: Browser, path: Path) -> float:
    """Return the median of several times, each in a process of its own."""
    times = []
    for _ in range(RUNS):
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]")
        times.append(time.perf_counter() - start)
        page.close()
    return median(times)


def main() -> int:
    """Make the models and their pages, open these, print the table; 1 if a budget is broken."""
    table = Table("parameters", "paramctl report", "memory", "page", "opens in", "budget", "holds")
    counts = [int(text) for text in sys.argv[1:]] or COUNTS
    holds = True
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for count in counts:
            model, path = Path(folder, "model.safetensors"), Path(folder, "report.html")
            subprocess.run([sys.executable, "-c", MAKE, str(count), str(model)], check=True)
            command = [PARAMCTL, "report", str(model), "-o", str(path), "--force"]
            cost = run(command, on_terminal=False)
            size = f"{path.stat().st_size / 1e6:.1f} MB"
            seconds, budget = time_to_open(browser, path), BUDGETS.get(count)
            verdict = "" if budget is None else "holds" if seconds <= budget else "BROKEN"
            holds = holds and verdict != "BROKEN"
            row = f"{count:,}", *cost.cells(), size, f"{seconds:.2f} s", f"{budget or ''}", verdict
            table.add_row(*row)
        browser.close()
    Console().print(table)
    return not holds


if __name__ == "__main__":
    sys.exit(main())
