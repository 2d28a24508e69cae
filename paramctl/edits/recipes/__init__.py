"""Recipes: rules for a family of models, by name or from a user's YAML file."""

from pathlib import Path

from paramctl.checkpoint import Checkpoint
from paramctl.edits.rules import Rule
from paramctl.errors import FileError, LimitError, UsageError, blaming
from paramctl.expressions.quoting import closest

MAX_SIZE = 65_536  # bytes
FOLDER = Path(__file__).parent / "builtin"
SUFFIX = ".yaml"
SUFFIXES = (SUFFIX, ".yml", ".json")


def load_recipe(recipe: str, checkpoint: Checkpoint) -> list[Rule]:
    """Return the rules of one of paramctl's recipes, or of a file, for a model.

    Rules of a file are wanted: one without a use is a mistake of the user's, or left over. Of
    paramctl's own each is for some of the models of its family.

    Raises:
        UsageError: it is neither, or it is wrong; says at which line and column.
        FileError: the file cannot be read.
        LimitError: the file is too large.
    """
    from paramctl.edits.recipes.recipe import read_rules  # noqa: PLC0415 (loads yaml)

    if recipe in names():
        data = (FOLDER / f"{recipe}{SUFFIX}").read_bytes()
        try:
            rules = read_rules(data, recipe, checkpoint)
        except UsageError as error:  # a variable lacks what it is told from
            what = f"the recipe {recipe} is for models of other names"
            raise UsageError(what, hint=str(error), file=checkpoint.file) from error
        return [rule._replace(is_wanted=False) for rule in rules]
    data = _read(recipe)
    with blaming(recipe):
        return read_rules(data, Path(recipe).name, checkpoint)


def names() -> list[str]:
    """Return the names of paramctl's own recipes."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def _read(file: str) -> bytes:
    if not Path(file).exists() and not file.endswith(SUFFIXES):
        raise UsageError(f"no recipe '{file}'", hint=closest(file, names()))
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_SIZE + 1)
    except OSError as error:
        raise FileError.from_os(error, file) from error
    if len(data) > MAX_SIZE:
        raise LimitError(f"a recipe of more than {MAX_SIZE:,} bytes", file=file)
    return data
