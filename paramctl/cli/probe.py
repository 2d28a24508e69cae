"""`paramctl probe`: run a model, and look at outputs, gradients, and a few steps of training."""

from typing import Annotated

import typer

from paramctl.cli.devices import Device
from paramctl.cli.environment import Environment
from paramctl.cli.models import open_model
from paramctl.cli.options import ModelAlone, Reading, TableForm, TableFormat
from paramctl.cli.running import Running, Training, check_options
from paramctl.cli.suffixes import check_suffix
from paramctl.errors import UsageError, blaming
from paramctl.init.devices import AUTO, choose_device
from paramctl.init.seeds import fresh_seed
from paramctl.views.escaping import escape
from paramctl.views.units import format_bytes
from paramctl.writer import WriteOptions, save
from paramctl.writer.files import check_place

EXAMPLES = """
$ paramctl probe sample_models/mlp.yaml --seed 0
layer  type    output     mean      std  zeros  grad rms
0      Linear  [2, 8]   -0.195    0.831     0%    0.1721
1      ReLU    [2, 8]   0.2245   0.3588  62.5%    0.2525
2      Linear  [2, 1]  -0.3161  0.09996     0%         1

parameter   shape     norm       mean     std  grad/norm
0.weight    [8, 4]   1.466   -0.02343   0.258
  gradient           1.449  -0.001464  0.2561     0.9884
0.bias      [8]     0.8804   -0.07762  0.3014
  gradient          0.8855   -0.03338  0.3113      1.006
2.weight    [1, 8]   0.714   0.006976  0.2524
  gradient           2.042     0.4491  0.5653       2.86
2.bias      [1]     0.2204    -0.2204       0
  gradient               2          2       0      9.076

loss -0.6322

$ paramctl probe sample_models/mlp.yaml --seed 0 --steps 200 --every 100 --lr 0.1 | cut -f 1,2
100	0.01288
200	0.009824
"""


def run(
    environment: Environment,
    reading: Reading,
    running: Running,
    training: Training,
    arguments: ModelAlone = None,
    *,
    save_grads: Annotated[
        str,
        typer.Option(
            "--save-grads",
            metavar="FILE",
            help="Write the gradients, as safetensors, under their parameters' names.",
            show_default=False,
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    device: Device = AUTO,
    form: TableForm = None,
) -> None:
    """Run a model forward and backward, or train it for a few steps, and show what happens."""
    chosen = choose_device(device)
    check_options(running, training, save_grads)
    path = training.output or save_grads
    if path:
        check_suffix(path)
        check_place(path, force=force)
    checkpoint, rest = open_model(environment, arguments, reading)
    if rest:
        raise UsageError(f"one model at a time, not '{rest[0]}' too", hint="--weights takes a file")
    if running.seed is None:
        running = running._replace(seed=fresh_seed())
        environment.note(f"seed {running.seed}")
    form = form or (TableFormat.TABLE if environment.out_is_terminal else TableFormat.TSV)
    from paramctl.cli.probing import Session  # noqa: PLC0415 (loads torch)

    with blaming(checkpoint.file):
        session = Session(environment, running, form, checkpoint, chosen)
        result = session.train(training) if training.steps else session.probe(save_grads)
    if result:
        report = save(result, path, WriteOptions(force=force))
        environment.note(escape(f"wrote {path}, {format_bytes(report.nbytes)}"))
