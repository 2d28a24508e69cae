"""Where in a checkpoint the model is.

1. A key that is known to hold the model is followed, as often as there is one.
2. Where there is none, what training keeps for itself is left out: the optimizer, the scheduler and
   so on, by the words of their keys. So are averages of the model. Each only if a part remains.
3. Where one part remains, it is followed if something was left out beside it, or if it holds a
   known key or training's things itself.

What remains is the model.
"""

import re
from collections.abc import Collection
from itertools import islice
from typing import NamedTuple

from paramctl.checkpoint import Entry
from paramctl.errors import AddressError
from paramctl.formats.pickles import Dict, Object
from paramctl.formats.torch.tree import CONTAINERS, Tree
from paramctl.layers import prefixes

MODEL_KEYS = (
    "model_state_dict",
    "state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "params",
    "weights",
)
TRAINING = re.compile(
    "optimi[sz]ers?|optims?|opt|sched(uler)?s?|scaler|amp|rng|callbacks?|loops|args|config|cfg|"
    "hyper|hparams"
)
AVERAGES = re.compile("ema|swa")
MAX_KEY = 64  # characters of a key that is looked at for words
MAX_KNOWN = 20  # keys that an error names

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")

Parts = dict[str, object]


class Found(NamedTuple):
    """A part of a checkpoint, the path of keys to it, "" for all, and what else there is."""

    path: str
    part: object
    beside: Parts


def find_all(tree: Tree) -> Found:
    """Return the whole; beside its tensors are its plain values."""
    parts = tree.root.strings() if isinstance(tree.root, Dict) else {}
    return Found("", tree.root, _plain(tree, parts))


def find_part(tree: Tree, path: str) -> Found:
    """Follow a dotted path of keys; a key may hold dots itself.

    Raises:
        AddressError: there is no such key; names those that are there.
    """
    node, rest, beside = tree.root, path, Parts()
    while rest:
        parts = {key: value for key, value, _ in tree.items(node)}
        step = next((prefix for prefix in prefixes(rest) if prefix in parts), None)
        if step is None:
            known = ", ".join(list(parts)[:MAX_KNOWN]) or "none"
            raise AddressError(f"no key '{rest}' in the checkpoint", hint=f"keys: {known}")
        if node is tree.root and isinstance(node, Dict):
            beside = _without(node.strings(), step)
        node, rest = parts[step], rest[len(step) + 1 :]
    return Found(path, node, beside)


def find_model(tree: Tree) -> Found:
    """Find the part that is the model, by the rules above."""
    path, node, beside = "", tree.root, Parts()
    passed: set[int] = set()
    while isinstance(node, Dict):
        parts = node.strings()
        if all(type(value) is Entry for value in parts.values()):  # the most frequent, and large
            break
        passed.add(id(node))
        parts = {key: value for key, value in parts.items() if id(value) not in passed}
        kept = _keep(tree, parts)
        key = _known_key(tree, parts) or _only_key(tree, parts, kept)
        if key is None:
            left_out = parts.keys() - kept.keys()
            rest = _plain(tree, parts, left_out) if left_out or not path else {}
            return Found(path, _pruned(node, left_out), beside | _below(tree, path, rest))
        beside |= _below(tree, path, _without(parts, key))
        path, node = tree.join(path, key), parts[key]
    return Found(path, node, beside)


def find_weights(tree: Tree) -> Found:
    """Return all but what training keeps for itself: the names are those of the whole file.

    Beside an optimizer's state a scalar is a count of steps.
    """
    parts = tree.root.strings() if isinstance(tree.root, Dict) else Parts()
    kept = _keep(tree, parts)
    if len(kept) < len(parts):
        kept = {key: value for key, value in kept.items() if not _is_scalar(value)}
    left_out = parts.keys() - kept.keys()
    part = _pruned(tree.root, left_out) if isinstance(tree.root, Dict) else tree.root
    return Found("", part, _plain(tree, parts, left_out))


def _known_key(tree: Tree, parts: Parts) -> str | None:
    known = (key for key in MODEL_KEYS if isinstance(parts.get(key), (Dict, Object)))
    return next((key for key in known if tree.holds_tensors(parts[key])), None)


def _only_key(tree: Tree, parts: Parts, kept: Parts) -> str | None:
    """Return the key of the one part that remains, if it is seen to be wrapped."""
    keys = list(islice((key for key, value in kept.items() if _is_part(tree, value)), 2))
    if len(keys) != 1 or not isinstance(kept[keys[0]], (Dict, Object)):
        return None
    is_wrapped = len(kept) < len(parts) or _is_wrapper(tree, kept[keys[0]])
    return keys[0] if is_wrapped else None


def _is_wrapper(tree: Tree, value: object) -> bool:
    parts = value.strings() if isinstance(value, Dict) else {}
    return _known_key(tree, parts) is not None or len(_keep(tree, parts)) < len(parts)


def _keep(tree: Tree, parts: Parts) -> Parts:
    """Leave out what training keeps for itself, and averages, if a part remains.

    In a dictionary of nothing but tensors, these words are names of parameters.
    """
    if not any(map(_is_container, parts.values())):
        return parts
    for words in (TRAINING, AVERAGES):
        kept = {key: value for key, value in parts.items() if not _has_word(key, words)}
        rest = kept.values() if words is TRAINING else filter(_is_container, kept.values())
        if any(_is_part(tree, value) for value in rest):
            parts = kept
    return parts


def _has_word(key: str, words: re.Pattern[str]) -> bool:
    """Look into `lr_schedulers` or `optimizerG`; a dotted key is a parameter's name."""
    if len(key) > MAX_KEY or "." in key:
        return False
    return any(words.fullmatch(word.lower()) for word in _WORD.findall(key))


def _is_container(value: object) -> bool:
    return isinstance(value, CONTAINERS) and not isinstance(value, Entry)


def _is_part(tree: Tree, value: object) -> bool:
    """Whether a value may be the model or a part of it: a scalar is a count of training's."""
    return tree.holds_tensors(value) and not _is_scalar(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, Entry) and not value.shape


def _plain(tree: Tree, parts: Parts, left_out: Collection[str] = ()) -> Parts:
    """Return what is left out, and what holds no tensors, in order."""
    return {
        key: value
        for key, value in parts.items()
        if key in left_out or not tree.holds_tensors(value)
    }


def _without(parts: Parts, key: str) -> Parts:
    return {other: value for other, value in parts.items() if other != key}


def _below(tree: Tree, path: str, parts: Parts) -> Parts:
    return {tree.join(path, key): value for key, value in parts.items()}


def _pruned(node: Dict, left_out: Collection[str]) -> Dict:
    if not left_out:
        return node
    pruned = Dict()
    pruned.pairs = [
        (key, value) for key, value in node.pairs if type(key) is not str or key not in left_out
    ]
    return pruned
