"""Drawings: CPU time of the command, sizes of pages, and times in a headless Chromium, with Netron as the peer.

    python benchmarks/draw.py [--runs 7] [--netron]

Needs playwright and a Chromium. The limits: `archspec draw resnet:152` takes at most 0.1 s of CPU time more than
`archspec summarize resnet:152`, and resnet-cifar:1202 with all its layers 2 s; the pages of resnet:152 and nasnet:large
have at most 400 and 900 kB; the first network of every family opens in less than 1 s and resnet-cifar:1202 in less than
3 s, until its layers are painted; folding and unfolding a block takes at most 50 ms (the median).

With `--netron`, which builds resnet:152 with TensorFlow, Netron (`pip install netron`) opens the JSON of the Keras
model in the same browser, and must take longer than the page.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import archspec
from archspec.api import families, networks

NETWORK, DEEP = "resnet:152", "resnet-cifar:1202"
MORE_THAN_SUMMARIZE, DEEP_CPU = 0.1, 2.0
KILOBYTES = {"resnet:152": 400, "nasnet:large": 900}
OPEN, OPEN_DEEP, FOLD = 1.0, 3.0, 0.05
FOLDING = """() => {
  const times = [];
  const closed = blocks.filter((b) => b.kind !== 0 && b.parent === root).slice(0, 10);
  for (const b of closed)
    for (const state of [b.state ? 0 : 1, b.state]) {
      const start = performance.now();
      setState(b, state);
      scene.getBoundingClientRect();
      times.push(performance.now() - start);
    }
  const repeat = blocks.filter((b) => b.kind === REPEAT && b.state).sort((a, b) => b.kids.length - a.kids.length)[0];
  for (const state of repeat ? [2, 1, 2, 1] : []) {
    const start = performance.now();
    setState(repeat, state);
    scene.getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return times;
}"""
"""Folds and unfolds outer blocks, and shows all copies of a repeat: milliseconds, with the layout of the browser."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--netron", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        passed = [
            commands(Path(folder), arguments.runs),
            sizes(Path(folder)),
            browser(Path(folder), arguments.netron),
        ]
    return 0 if all(passed) else 1


def cpu(*arguments: str) -> float:
    """Seconds of CPU time of an archspec command."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "archspec", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"archspec {' '.join(arguments)} exits with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def verdict(name: str, value: float, limit: float, unit: str) -> bool:
    print(f"{'ok  ' if value <= limit else 'FAIL'}  {name}: {value:.3f} {unit} (limit {limit:g})")
    return value <= limit


def commands(folder: Path, runs: int) -> bool:
    """CPU times, in interleaved runs."""
    drawing, summary = [], []
    for _ in range(runs):
        summary.append(cpu("summarize", NETWORK))
        drawing.append(cpu("draw", NETWORK, "-o", str(folder / "a.svg"), "--overwrite"))
    more = statistics.median(drawing) - statistics.median(summary)
    print(f"      summarize {NETWORK}: {statistics.median(summary):.3f} s, draw: {statistics.median(drawing):.3f} s")
    deep = cpu("draw", DEEP, "--unfold", "-o", str(folder / "b.svg"))
    return verdict(f"draw {NETWORK} more than summarize", more, MORE_THAN_SUMMARIZE, "s") & verdict(
        f"draw {DEEP} --unfold", deep, DEEP_CPU, "s"
    )


def sizes(folder: Path) -> bool:
    """Sizes of pages."""
    passed = True
    for reference, limit in KILOBYTES.items():
        path = page(folder, reference)
        passed &= verdict(f"page of {reference}", path.stat().st_size / 1000, limit, "kB")
    return passed


def page(folder: Path, reference: str) -> Path:
    """The page of a network."""
    return archspec.draw(reference).save(folder / f"{reference.replace(':', '-')}.html", overwrite=True)


def browser(folder: Path, with_netron: bool) -> bool:
    """Times in the browser."""
    passed = True
    references = [next(networks(name)).reference for name in families()]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        _paint(found, page(folder, references[0]).as_uri(), "#scene g.layer")  # the first page starts processes
        times = {name: _paint(found, page(folder, name).as_uri(), "#scene g.layer") for name in references}
        slowest = max(times, key=lambda name: times[name])
        median = statistics.median(times.values())
        print(f"      {len(times)} networks open in {median:.3f} s (median)")
        passed &= verdict(f"slowest of {len(times)} pages to open ({slowest})", times[slowest], OPEN, "s")
        deep = _paint(found, page(folder, DEEP).as_uri(), "#scene g.layer")
        passed &= verdict(f"page of {DEEP} to open", deep, OPEN_DEEP, "s")
        for reference in (NETWORK, "nasnet:large", DEEP):
            window = found.new_page(viewport={"width": 1200, "height": 800})
            window.goto(page(folder, reference).as_uri())
            folding: Sequence[float] = window.evaluate(FOLDING)
            window.close()
            passed &= verdict(f"fold or unfold a block of {reference}", statistics.median(folding) / 1000, FOLD, "s")
        if with_netron:
            passed &= netron(found, folder)
    return passed


def _paint(found: Browser, address: str, selector: str, timeout: float = 60_000, runs: int = 3) -> float:
    """Seconds from opening an address until an element is there and painted, by the clock of the page: the least of
    some runs, since other programs only add to it.
    """
    times = []
    for _ in range(runs):
        window = found.new_page(viewport={"width": 1200, "height": 800})
        window.goto(address)
        window.wait_for_selector(selector, timeout=timeout)
        script = "() => new Promise((next) => requestAnimationFrame(() => setTimeout(() => next(performance.now()))))"
        times.append(float(window.evaluate(script)) / 1000)
        window.close()
    fastest: float = min(times)
    return fastest


def netron(found: Browser, folder: Path) -> bool:
    """The same network in Netron, from the JSON of its Keras model, without weights.

    Netron's time begins when its scripts are loaded, that of the page when it is opened.
    """
    server = import_module("netron")
    file = folder / "resnet-152.json"
    file.write_text(archspec.load(NETWORK).build().to_json())
    host, port = server.start(str(file), address=("127.0.0.1", 0), browse=False)
    window = found.new_page(viewport={"width": 1200, "height": 800})
    try:
        window.goto(f"http://{host}:{port}/")
        accept = window.get_by_role("button", name="Accept")  # of cookies: until then it reads no file
        accept.wait_for()
        start = time.perf_counter()
        accept.click()
        window.wait_for_selector("body.default .node-item", timeout=300_000)
        seconds = time.perf_counter() - start
    finally:
        window.close()
        server.stop((host, port))
    ours = _paint(found, page(folder, NETWORK).as_uri(), "#scene g.layer")
    print(f"      {NETWORK} opens in {ours:.3f} s, in Netron in {seconds:.3f} s")
    return verdict(f"{NETWORK}, as a share of Netron's time", ours / seconds, 1, "")


if __name__ == "__main__":
    sys.exit(main())
