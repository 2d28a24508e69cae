"""A model in Python that is looked into: what it holds, what that comes to, and how it runs."""

import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

from paramctl.addresses import resolve, resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.errors import UsageError
from paramctl.groups import Groups
from paramctl.init.devices import AUTO, choose_device
from paramctl.init.seeds import check_seed, fresh_seed
from paramctl.signatures import checked

if TYPE_CHECKING:
    from paramctl.check.findings import Checked
    from paramctl.diff.comparison import Comparison
    from paramctl.probe.gradients import Probe
    from paramctl.stats.measured import Measured
    from paramctl.widening import Array

Place = str | os.PathLike[str]


class Inspected(Checkpoint):
    """A checkpoint that can be looked into, as by the verbs that change nothing."""

    def _ipython_key_completions_(self) -> list[str]:
        """Return what a notebook completes `model["` to."""
        return list(self.entries)

    @checked
    def read(self, address: str) -> "Array":
        """Return the values of a parameter, or of a slice of it alone: `2.weight[0,:5]`.

        Of types that numpy lacks they are float32 or complex64, exactly; quantized ones are
        dequantized. The array cannot be written to: `set` changes values.

        Raises:
            UsageError: the address names nothing, or several, or what has no values as an array.
            ParamctlError: the values cannot be read; the class says why.
        """
        from paramctl.arrays import read  # noqa: PLC0415 (loads numpy)
        from paramctl.views.shown import Shown  # noqa: PLC0415 (the same)

        found = resolve(self.entries, address)
        if len(found) > 1:
            raise UsageError(f"'{address}' is {len(found)} parameters", hint="name one")
        return read(Shown.of(self, found[0], Groups(self.aliases)).array())

    @checked
    def stats(
        self, *addresses: str, quantiles: Collection[float] = (), depth: int | None = None
    ) -> "tuple[Measured, ...]":
        """Return what the values of parameters come to, of all or of those named.

        `quantiles` are fractions from 0 to 1. With `depth` layers are summed, so many parts of a
        name deep; they have no quantiles.

        Raises:
            UsageError: an address names nothing, or a fraction is not from 0 to 1.
            ParamctlError: values cannot be read; the class says why.
        """
        from paramctl.stats.measured import measure, sum_layers  # noqa: PLC0415 (loads numpy)
        from paramctl.writer.progress import no_progress  # noqa: PLC0415 (rarely needed)

        if depth is not None and depth < 1:
            raise UsageError(f"depth is {depth}", hint="1 is that of the layers at the top")
        if not all(0 <= fraction <= 1 for fraction in quantiles):
            raise UsageError(f"{list(quantiles)} are no quantiles", hint="numbers from 0 to 1")
        measured = measure(self, resolve_all(self.entries, addresses), [*quantiles], no_progress)
        return tuple(sum_layers(measured, depth) if depth else measured)

    @checked
    def check(
        self, *addresses: str, only: str = "", against: Checkpoint | None = None
    ) -> "Checked":
        """Find what may be wrong with the model, or with the layers and parameters named.

        `only` names kinds, `nan,inf`, or how bad they are, `error`; `against` is another model, a
        spec, a factory or a config that the whole model is to be like.

        Raises:
            UsageError: there is no such kind, or an address names nothing.
            ParamctlError: values cannot be read; the class says why.
        """
        from paramctl.check.checking import check  # noqa: PLC0415 (loads numpy)
        from paramctl.check.declarations import compare_with  # noqa: PLC0415 (rarely needed)
        from paramctl.check.kinds import choose_kinds  # noqa: PLC0415 (the same)
        from paramctl.writer.progress import no_progress  # noqa: PLC0415 (the same)

        if against is not None and addresses:
            raise UsageError("against compares whole models", hint="leave the addresses out")
        names = resolve_all(self.entries, addresses)
        declared = None if against is None else compare_with(self, against)
        return check(self, names, choose_kinds(only), declared, no_progress)

    @checked
    def diff(
        self,
        other: Checkpoint,
        *addresses: str,
        atol: float = 0.0,
        rtol: float = 0.0,
        strip_prefix: Sequence[str] = (),
        ignore: Collection[Literal["dtype", "tie", "metadata", "class"]] = (),
    ) -> "Comparison":
        """Compare with another model, or the layers and parameters named.

        Values are equal if |a - b| <= atol + rtol * |b|. Names that begin with one of
        `strip_prefix` are compared without it.

        Raises:
            UsageError: an address names nothing in either, or two names become one, or a tolerance
                is below 0 or not finite.
            ParamctlError: values cannot be read; the class says why.
        """
        from paramctl.diff.choosing import choose  # noqa: PLC0415 (rarely needed)
        from paramctl.diff.comparison import Comparison, compare_parameters  # noqa: PLC0415
        from paramctl.diff.names import pair_chosen, strip_prefixes  # noqa: PLC0415
        from paramctl.diff.values import Tolerance  # noqa: PLC0415 (loads numpy)
        from paramctl.views.metadata import tell_plainly  # noqa: PLC0415 (rarely needed)
        from paramctl.writer.progress import no_progress  # noqa: PLC0415 (the same)

        tolerance = Tolerance(atol, rtol)
        if not tolerance.is_sound:
            what = f"atol={atol!r}, rtol={rtol!r} is no tolerance"
            raise UsageError(what, hint="finite numbers from 0 on")
        models = strip_prefixes(self, strip_prefix), strip_prefixes(other, strip_prefix)
        pairs = pair_chosen(models, choose(models, addresses, ()))
        ignored = {*ignore, *(("metadata", "class") if addresses else ())}
        parameters = compare_parameters(models, pairs, tolerance, no_progress, ignored)
        return Comparison.of(models, parameters, ignored, tell_plainly)

    @checked
    def report(
        self,
        path: Place,
        *,
        against: Checkpoint | None = None,
        force: bool = False,
    ) -> None:
        """Write a page of HTML, of the model or of how another one differs; it takes plotly.

        Raises:
            UsageError: plotly is not installed, the name is no page's, or the file is there.
            ParamctlError: values cannot be read, or the page not be written; the class says why.
        """
        from paramctl.report.making import check_name, make_report  # noqa: PLC0415 (loads numpy)
        from paramctl.writer.files import check_place, save_bytes  # noqa: PLC0415 (rarely needed)
        from paramctl.writer.progress import no_progress  # noqa: PLC0415 (the same)

        check_name(os.fspath(path))
        check_place(os.fspath(path), force=force)
        save_bytes(make_report(self, against, no_progress), os.fspath(path), force=force)

    @checked
    def probe(
        self,
        *,
        input: Place = "",  # noqa: A002 (as the verb calls it)
        target: Place = "",
        loss: Literal["sum", "mse", "cross_entropy"] | None = None,
        seed: int | None = None,
        device: str = AUTO,
    ) -> "Probe":
        """Run a model that has layers forward and backward: outputs, and gradients.

        `input` is a shape, `2x4`, or an .npy file, `target` such a file. What is not said is drawn
        from the seed, or chosen to fit; values that there are not are PyTorch's own.

        Raises:
            UsageError: its layers are not known, or do not fit what goes in or should come out.
            ParamctlError: a file cannot be read; the class says why.
        """
        from paramctl.probe.asking import Question, ask_alone  # noqa: PLC0415 (loads torch)

        number = fresh_seed() if seed is None else check_seed(seed)
        question = Question(os.fspath(input), os.fspath(target), loss, number)
        return ask_alone(self, question, choose_device(device))

    @checked
    def export(
        self,
        path: Place,
        *,
        input: Place = "",  # noqa: A002 (as the verb calls it)
        force: bool = False,
    ) -> None:
        """Write a model that has layers as ONNX, which other software runs.

        `input` is a shape, `2x4`, or an .npy file, where the layers do not tell what goes in.

        Raises:
            UsageError: it cannot be exported, the name does not end in .onnx, or the file is there.
            ParamctlError: it cannot be written; the class says why.
        """
        from paramctl.export import check_name, export_onnx  # noqa: PLC0415 (loads torch)
        from paramctl.writer.files import check_place, save_bytes  # noqa: PLC0415 (rarely needed)

        check_name(os.fspath(path))
        check_place(os.fspath(path), force=force)
        save_bytes(export_onnx(self, os.fspath(input)), os.fspath(path), force=force)
