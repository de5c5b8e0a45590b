"""`archspec from-keras SOURCE`."""

from __future__ import annotations

from pathlib import Path

import click

from archspec.diagnostics import fail


@click.command("from-keras")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The page to write.  [default: standard output]")
@click.option("--name", metavar="NAME", help="Of the page.  [default: that of the model]")
@click.option("--overwrite", is_flag=True, help="Replace an existing page.")
def command(source: str, out: Path | None, name: str | None, overwrite: bool) -> None:
    """Write the page of a Keras model: the reverse of build. What repeats becomes blocks and `repeat`.

    \b
    SOURCE is one of
      FILE.keras        a functional or sequential model of Keras's layers; of archspec's own, its page
      keras:ResNet50    a function of keras.applications
    """
    if out is not None and (out.is_dir() or (out.exists() and not overwrite)):
        raise fail("output-exists", f"`{out}` exists", help="give another name, or `--overwrite`")
    from archspec.runtime.from_keras import spec_of_source

    text = spec_of_source(source, name=name)
    if out is None:
        click.echo(text, nl=False)
        return
    from archspec.runtime.system.atomic_write import write_text

    write_text(out, text)
    click.echo(f"wrote {out}: {text.count(chr(10))} lines; next, try:")
    click.echo(f"  archspec summarize {out}")
    if not source.startswith("keras:"):
        click.echo(f"  archspec build {out} --weights {source} -o {out.with_suffix('.keras').name}")
