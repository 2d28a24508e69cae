"""A model in Python: a checkpoint whose edits are methods, as the verbs are in a shell.

paramctl.open("mlp.pt").init("xavier", seed=0).tie("2", "4").save("mlp.safetensors")
"""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Self

from paramctl.addresses import resolve_all
from paramctl.checkpoint import Checkpoint
from paramctl.edits.origins import Prefer
from paramctl.errors import UsageError
from paramctl.init.devices import choose_device
from paramctl.init.seeds import check_seed, fresh_seed
from paramctl.inspected import Inspected
from paramctl.signatures import checked

if TYPE_CHECKING:
    from paramctl.writer import Report


class Model(Inspected):
    """A checkpoint whose methods are the verbs.

    What changes it returns another one, nothing computed yet. Its attributes are those of
    `paramctl.Checkpoint`.
    """

    @checked
    def init(
        self,
        scheme: str = "",
        *addresses: str,
        seed: int | None = None,
        bias: str = "",
        norm: str = "",
        recipe: str | os.PathLike[str] = "",
        device: str = "cpu",
    ) -> Self:
        """Fill the weights of a model, or of the layers and parameters named, by a scheme.

        A recipe, `gpt2` or a YAML file, has rules that come before the scheme. What has no values
        yet, and no rule, gets PyTorch's own. Without a seed a fresh one is taken; it is in the
        metadata, under `paramctl.init`.

        Raises:
            UsageError: the scheme or the recipe does not parse, or cannot fill a parameter that is
                named; or there is no such device or seed; or a spec's layers do not fit.
        """
        from paramctl.edits.initialization import initialize, plan  # noqa: PLC0415 (loads numpy)
        from paramctl.edits.recipes import load_recipe  # noqa: PLC0415 (rarely needed)
        from paramctl.edits.rules import rules_of_rest, rules_of_scheme  # noqa: PLC0415 (the same)

        if not scheme and (addresses or bias or norm or not (recipe or self.is_planned)):
            raise UsageError("no scheme", hint="such as 'xavier', or recipe='gpt2'")
        _check_spec(self)
        rules = load_recipe(os.fspath(recipe), self) if recipe else []
        if scheme:
            rules += rules_of_scheme(scheme, addresses, bias=bias, norm=norm)
        planned = plan(self, rules + rules_of_rest(self))
        number = fresh_seed() if seed is None else check_seed(seed)
        return initialize(self, planned, number, choose_device(device))

    @checked
    def set(self, *statements: str) -> Self:
        """Carry out statements, such as `0.weight += 1`, in order.

        Raises:
            UsageError: one does not parse, or shapes or types do not fit.
        """
        from paramctl.edits.assignment import assign, parse_statement  # noqa: PLC0415 (loads numpy)
        from paramctl.formats.npy import read_npy  # noqa: PLC0415 (the same)

        changed = self
        for statement in map(parse_statement, statements):
            changed = assign(changed, statement, read_npy)
        return changed

    @checked
    def tie(self, *addresses: str, keep: str = "", equal: bool = False) -> Self:
        """Make layers or parameters one, with the values of the first, or of `keep`.

        With `equal` those of all, or of what is named, that are equal byte for byte; their values
        are read. What is one number throughout is tied only where it is named.

        Raises:
            UsageError: they differ in their parameters, shapes or dtypes.
        """
        from paramctl.edits.tying import tie, tie_groups  # noqa: PLC0415 (rarely needed)

        if not equal:
            return tie(self, addresses, keep)
        if keep:
            raise UsageError("keep with equal", hint="equal values are the same whichever is kept")
        from paramctl.edits.equality import find_equal  # noqa: PLC0415 (loads numpy)

        found = find_equal(self, resolve_all(self.entries, addresses))
        return tie_groups(self, found.to_tie(are_named=bool(addresses)))

    @checked
    def untie(self, *addresses: str) -> Self:
        """Give tied parameters, all or those named, values of their own.

        Raises:
            UsageError: nothing of it is tied.
        """
        from paramctl.edits.tying import untie  # noqa: PLC0415 (rarely needed)

        return untie(self, addresses)

    @checked
    def merge(self, *others: Checkpoint, prefer: Prefer | None = None) -> Self:
        """Take the parameters of other models in; `prefer` whose, where several have one name.

        Raises:
            UsageError: names collide, what they stand for is not the same, and nothing is
                preferred.
        """
        from paramctl.edits.merging import merge  # noqa: PLC0415 (loads numpy)
        from paramctl.edits.origins import find_origins  # noqa: PLC0415 (the same)

        return merge(self, find_origins((self, *others), prefer))

    @checked
    def rename(self, *rules: str | Mapping[str, str]) -> Self:
        r"""Rename layers and parameters by rules, each given what the one before left.

        A rule is text, `s/^module\.//` or `h.{i}.attn -> layers.{i}.attention`, or a mapping, old
        name -> new name, whose names are all those before it is applied.

        Raises:
            UsageError: a rule does not parse or fits no name, or two names would become one.
        """
        from paramctl.edits.renaming import rename  # noqa: PLC0415 (rarely needed)
        from paramctl.edits.renaming.language import parse_rule  # noqa: PLC0415 (the same)
        from paramctl.edits.renaming.maps import Map  # noqa: PLC0415 (the same)

        return rename(self, [parse_rule(r) if isinstance(r, str) else Map(r) for r in rules])

    @checked
    def drop(self, *addresses: str) -> Self:
        """Leave layers or parameters out.

        Raises:
            UsageError: an address names nothing, or nothing would be left.
        """
        from paramctl.edits.selection import drop  # noqa: PLC0415 (rarely needed)

        return drop(self, addresses)

    @checked
    def extract(self, *addresses: str) -> Self:
        """Make a single layer a model of its own, its name left out; or keep what is named alone.

        Raises:
            UsageError: an address names nothing.
        """
        from paramctl.edits.selection import extract  # noqa: PLC0415 (rarely needed)

        return extract(self, addresses)

    @checked
    def graft(self, source: Checkpoint, scheme: str = "", *, seed: int | None = None) -> Self:
        """Take the values of another model that fit; the rest keeps its own, if it has any.

        With a scheme the rest is initialized by that; what has no values then is, as PyTorch would.

        Raises:
            UsageError: nothing fits, or the scheme does not parse, or a spec's layers do not fit.
        """
        from paramctl.edits.fits import find_fits  # noqa: PLC0415 (loads numpy)
        from paramctl.edits.grafting import graft, plan_rest  # noqa: PLC0415 (the same)
        from paramctl.edits.rules import rules_of_rest, rules_of_scheme  # noqa: PLC0415 (the same)

        _check_spec(self)
        rules = (rules_of_scheme(scheme, []) if scheme else []) + rules_of_rest(self)
        fits = find_fits(source, self)
        number = fresh_seed() if seed is None else check_seed(seed)
        return graft(self, fits, plan_rest(self, fits, rules), number)

    @checked
    def resize(
        self, *addresses: str, shape: Sequence[int], scheme: str = "", seed: int | None = None
    ) -> Self:
        """Let parameters grow or shrink; what is in both shapes stays, what is new is a scheme's.

        The scheme `mean` is the mean of the old values along the dimension that grows.

        Raises:
            UsageError: the shape does not fit, or a scheme does not or is wanted.
        """
        from paramctl.edits.resizing import parse_new, plan, resize  # noqa: PLC0415 (loads numpy)

        planned = plan(self, addresses, tuple(map(int, shape)), parse_new(scheme))
        return resize(self, planned, fresh_seed() if seed is None else check_seed(seed))

    @checked
    def with_metadata(self, texts: Mapping[str, str], deleted: Collection[str] = ()) -> Self:
        """Set texts of the metadata by their keys, and delete keys.

        Raises:
            UsageError: a key is paramctl's own, or would be read as a tie; or there is none.
        """
        from paramctl.edits.metadata import with_metadata  # noqa: PLC0415 (rarely needed)

        return with_metadata(self, texts, deleted)

    @checked
    def cast(self, dtype: object, *, keep: str | Collection[str] = ()) -> Self:
        """Round what is floating-point to another type, but for the addresses to keep.

        It is named, `bf16`, or given as torch, numpy and entries have it, `torch.bfloat16`.

        Raises:
            UsageError: there is no such type, or an address names nothing.
        """
        from paramctl.edits.casting import cast, parse_dtype  # noqa: PLC0415 (loads numpy)

        return cast(self, parse_dtype(dtype), [keep] if isinstance(keep, str) else keep)

    @checked
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        force: bool = False,
        ties: Literal["alias", "copy"] = "alias",
        max_shard_size: int | str | None = None,
    ) -> "Report":
        """Write a file in the format of its suffix, `.pt`, `.npz`, safetensors where it has none.

        With `max_shard_size`, in bytes or as `5GB`, write a folder of safetensors files. What is
        returned names the files, and notes what the format has no place for.

        Raises:
            UsageError: the suffix is that of no format that is written, or the file is there.
            ParamctlError: it cannot be written; the class says why.
        """
        from paramctl.writer import WriteOptions, save  # noqa: PLC0415 (rarely needed)
        from paramctl.writer.formats import choose_format  # noqa: PLC0415 (the same)
        from paramctl.writer.shards import parse_size  # noqa: PLC0415 (the same)

        size = None if max_shard_size is None else parse_size(str(max_shard_size))
        written = choose_format(path, is_sharded=size is not None)
        return save(self, path, WriteOptions(ties, size, force, written))


def _check_spec(model: Model) -> None:
    """Make sure that the layers of what has no values yet fit each other, before it gets some."""
    if model.is_planned:
        from paramctl.models.flow import check_spec  # noqa: PLC0415 (loads torch)

        check_spec(model)
