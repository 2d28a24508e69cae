"""Initialization as a whole: which rule is for which parameter, and what becomes of it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from math import sqrt
from threading import Event
from typing import Any

import nets
import numpy as np
import pytest
import torch
from drawn import (
    bytes_of,
    draw,
    draw_by,
    drawn,
    model,
    parameter,
    plan_rules,
    plan_scheme,
    values_of,
)
from recorder import Recorder
from states import checkpoint_of, tensor_of
from torch import nn

from paramctl.checkpoint import Checkpoint
from paramctl.edits.draws import Plan
from paramctl.edits.filled import Filled
from paramctl.edits.initialization import initialize, plan
from paramctl.edits.rules import WEIGHTS, Rule, parse_rule
from paramctl.edits.tying import tie
from paramctl.errors import AddressError, TargetError, UsageError
from paramctl.formats import read_checkpoint
from paramctl.init.distributions import Constant, Normal
from paramctl.init.language import parse_scheme
from paramctl.init.streams import Stream
from paramctl.sources import BytesSource

UNMATCHED = "no rule is for it"
NET = model(
    parameter("emb.weight", 16, 8),
    parameter("h.0.fc.weight", 8, 8),
    parameter("h.0.fc.bias", 8),
    parameter("h.1.fc.weight", 8, 8),
    parameter("h.1.fc.bias", 8),
    parameter("bn.weight", 8),
    parameter("bn.bias", 8),
    parameter("bn.running_mean", 8),
    parameter("bn.running_var", 8),
    parameter("bn.num_batches_tracked", dtype="int64"),
    parameter("head.weight", 16, 8),
    parameter("head.bias", 16),
    types={"emb": "Embedding", "h.0.fc": "Linear", "h.1.fc": "Linear", "head": "Linear"},
)


def schemes_of(plan: Plan) -> dict[str, str]:
    """Return what each parameter is filled with."""
    return {name: str(draw.rule.scheme) for draw in plan.draws for name in draw.names}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["h.0.fc.weight=ones"], {"h.0.fc.weight": "ones"}),
        (["h.0.fc.bias=normal"], {"h.0.fc.bias": "normal"}),
        (["h.0.fc=ones"], {"h.0.fc.weight": "ones"}),
        (["h=ones"], {"h.0.fc.weight": "ones", "h.1.fc.weight": "ones"}),
        (["h.1=ones", "h=zeros"], {"h.0.fc.weight": "zeros", "h.1.fc.weight": "ones"}),
        (["h=zeros", "h.1=ones"], {"h.0.fc.weight": "zeros", "h.1.fc.weight": "zeros"}),
        (["bn=constant(0.5)"], {"bn.weight": "constant(0.5)"}),
        (["emb=normal(std=0.02)"], {"emb.weight": "normal(std=0.02)"}),
        (["h.[0-1].fc.bias=ones"], {"h.0.fc.bias": "ones", "h.1.fc.bias": "ones"}),
        (["h.*=xavier"], {"h.0.fc.weight": "xavier_uniform", "h.1.fc.weight": "xavier_uniform"}),
        (
            ["*.bias=ones", "**.bias=zeros"],
            {"h.0.fc.bias": "zeros", "h.1.fc.bias": "zeros", "bn.bias": "ones",
             "head.bias": "ones"},
        ),
        (["[0]=ones", "[-1].bias=ones"], {"emb.weight": "ones", "head.bias": "ones"}),
        (["h.0=keep", "h=ones"], {"h.1.fc.weight": "ones"}),
        (["bn.running_var=ones"], {"bn.running_var": "ones"}),
        (["bn.num_batches_tracked=zeros"], {"bn.num_batches_tracked": "zeros"}),
    ],
)  # fmt: skip
def test_the_first_rule_that_matches_counts(rules: list[str], expected: dict[str, str]) -> None:
    planned = plan_rules(NET, *rules)
    assert schemes_of(planned) == expected
    assert [draw.names[0] for draw in planned.draws] == [name for name in NET if name in expected]
    assert planned.kept.keys() | schemes_of(planned).keys() == NET.entries.keys()


def test_a_class_of_layers_leaves_out_the_others() -> None:
    planned = plan_rules(NET, "**.weight=ones", types=("Linear",))
    assert list(schemes_of(planned)) == ["h.0.fc.weight", "h.1.fc.weight", "head.weight"]
    assert list(schemes_of(plan_rules(NET, "*=ones", types=("Embedding",)))) == ["emb.weight"]
    assert len(schemes_of(plan_rules(NET, "**.weight=ones", types=("Linear", "Embedding")))) == 4
    assert planned.kept["h.0.fc.bias"] == UNMATCHED
    assert planned.kept["emb.weight"] == UNMATCHED
    planned = plan_rules(NET, "emb=ones", types=("Linear",))
    assert (planned.draws, list(map(str, planned.unused))) == ((), ["emb=ones"])


def test_indexes_count_all_layers_whatever_the_class() -> None:
    assert list(schemes_of(plan_rules(NET, "[-1]=ones", types=("Linear",)))) == ["head.weight"]
    assert not plan_rules(NET, "[0]=ones", types=("Linear",)).draws


def test_without_addresses_weights_are_drawn_and_the_rest_is_as_usual() -> None:
    assert schemes_of(plan_scheme(NET, "xavier")) == {
        **dict.fromkeys(["emb.weight", "h.0.fc.weight", "h.1.fc.weight"], "xavier_uniform"),
        **dict.fromkeys(["h.0.fc.bias", "h.1.fc.bias"], "zeros"),
        "bn.weight": "ones",
        "bn.bias": "zeros",
        **dict.fromkeys(["bn.running_mean", "bn.running_var", "bn.num_batches_tracked"], "default"),
        "head.weight": "xavier_uniform",
        "head.bias": "zeros",
    }
    filled = initialize(NET, plan_scheme(NET, "xavier"), 0)
    for name in ("h.0.fc.bias", "bn.bias", "bn.running_mean", "bn.num_batches_tracked"):
        assert not values_of(filled[name]).any()
    for name in ("bn.weight", "bn.running_var"):
        assert (values_of(filled[name]) == 1).all()
    assert filled["bn.num_batches_tracked"].dtype.name == "int64"


def test_biases_and_norms_take_schemes_of_their_own() -> None:
    schemes = schemes_of(plan_scheme(NET, "xavier", bias="constant(0.1)", norm="keep"))
    assert schemes["h.0.fc.bias"] == schemes["bn.bias"] == "constant(0.1)"
    assert "bn.weight" not in schemes


def test_addresses_choose_layers_with_their_biases_and_single_parameters() -> None:
    assert schemes_of(plan_scheme(NET, "normal", "h.0", "head.bias")) == {
        "h.0.fc.weight": "normal",
        "h.0.fc.bias": "zeros",
        "head.bias": "normal",
    }


@pytest.mark.parametrize("addresses", [["h.0", "h.0.fc.bias"], ["h.0.fc.bias", "h.0"]])
def test_a_bias_that_is_named_beside_its_layer_takes_the_scheme(addresses: list[str]) -> None:
    schemes = schemes_of(plan_scheme(NET, "normal", *addresses))
    assert schemes == {"h.0.fc.weight": "normal", "h.0.fc.bias": "normal"}


def test_rules_without_use_are_told() -> None:
    planned = plan_rules(NET, "h=ones", "h.0=zeros", "emb=ones", "emb.weight=keep", "heda=ones")
    assert list(map(str, planned.unused)) == [
        "h.0=zeros",
        "emb.weight=keep",
        "heda=ones (no parameter or layer 'heda'; closest: head)",
    ]


def test_the_address_of_a_rule_must_parse_and_one_of_a_scheme_must_name_something() -> None:
    with pytest.raises(AddressError, match="a bracket without its other half"):
        plan_rules(NET, "head=ones", "head[=ones")
    with pytest.raises(AddressError, match="no parameter or layer 'heda'; closest: head"):
        plan_scheme(NET, "ones", "head", "heda")


def test_what_is_kept_has_its_reason() -> None:
    net = model(
        parameter("a.weight", 4, 4, dtype="int8"),
        parameter("a.bias", 4),
        parameter("b.weight", 4, 4),
        parameter("c.weight", 4, 4)._replace(layout="sparse_coo"),
        parameter("cls_token", 4),
    )
    planned = plan_rules(net, "b=keep", "a=xavier", "c=xavier")
    assert planned.draws == ()
    assert planned.kept == {
        "a.weight": "it is of int8, which cannot be initialized",
        "a.bias": UNMATCHED,
        "b.weight": "a rule keeps it",
        "c.weight": "it is sparse_coo, which cannot be initialized",
        "cls_token": UNMATCHED,
    }
    assert "cls_token" in plan_scheme(net, "xavier").kept
    assert "not known from PyTorch's layers" in plan_scheme(net, "default").kept["cls_token"]


@pytest.mark.parametrize("scheme", ["constant(-1e9)", "mixture(1/2: zeros, 1/2: constant(-1e9))"])
def test_a_number_that_a_type_cannot_hold_does_not_become_infinite(scheme: str) -> None:
    net = model(parameter("a.weight", 4, 4, dtype="float16"), parameter("b.weight", 4, 4))
    planned = plan_scheme(net, scheme)
    why = "it is of float16, which cannot hold -1e+09"
    assert planned.kept == {"a.weight": why}
    assert [draw.names for draw in planned.draws] == [("b.weight",)]
    with pytest.raises(TargetError, match="cannot hold"):
        plan_rules(net, f"a.weight={scheme}")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("h.0.fc.bias=xavier", r"'h.0.fc.bias' of shape \[8\] has no fans"),
        ("h.*.fc.bias=orthogonal", r"'h.0.fc.bias' of shape \[8\] is no matrix"),
        ("bn.num_batches_tracked=ones", r"'bn.num_batches_tracked' of shape \[\] is of int64"),
        ("bn.running_mean=eye", "'bn.running_mean' .* needs 2 dimensions"),
    ],
)
def test_what_cannot_be_done_for_a_named_parameter_is_an_error(rule: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        plan_rules(NET, rule)


@pytest.mark.parametrize("text", ["zeros", "=zeros", "a=", " = "])
def test_a_rule_has_an_address_and_a_scheme(text: str) -> None:
    with pytest.raises(UsageError, match="is no rule; write address=scheme"):
        parse_rule(text)


def test_a_scheme_may_hold_the_sign_that_ends_an_address() -> None:
    assert str(parse_rule(" a.b = normal(std=0.5) ").scheme) == "normal(std=0.5)"


def tied(*, keep: str) -> Checkpoint:
    return tie(NET, ["emb.weight", "head.weight"], keep)


@pytest.mark.parametrize("keep", ["emb.weight", "head.weight"])
@pytest.mark.parametrize("address", ["emb", "head.weight", "*.weight", "**.weight"])
def test_tied_parameters_are_drawn_once_by_any_of_their_names(address: str, keep: str) -> None:
    net = tied(keep=keep)
    matched = "head" if address.startswith("head") else "emb"
    planned = plan_rules(net, "bn=keep", f"{address}=normal", "head.weight=zeros")
    (found,) = (one for one in planned.draws if "head.weight" in one.names)
    assert set(found.names) == {"emb.weight", "head.weight"}
    assert found.names[0] == keep
    assert found.entry.name == f"{matched}.weight"
    filled = initialize(net, planned, 3)
    expected = drawn(parameter("emb.weight", 16, 8), "normal", seed=3)
    assert filled["emb.weight"].storage == filled["head.weight"].storage
    assert np.array_equal(values_of(filled["head.weight"]), expected)
    assert filled.aliases == net.aliases


def test_a_tie_is_of_the_classes_of_all_of_its_names() -> None:
    net = tied(keep="emb.weight")
    for layer_type in ("Linear", "Embedding"):
        planned = plan_rules(net, "**.weight=normal", types=(layer_type,))
        assert schemes_of(planned)["emb.weight"] == "normal"
        assert plan_rules(net, "**=keep", types=(layer_type,)).kept["emb.weight"] != UNMATCHED
    assert plan_rules(net, "h.0=ones", types=("Linear",)).kept["emb.weight"] == UNMATCHED


def test_a_rule_for_one_name_of_a_tie_keeps_all_of_it() -> None:
    planned = plan_rules(tied(keep="emb.weight"), "head.weight=keep", "**.weight=normal")
    assert planned.kept["emb.weight"] == "a rule keeps it"
    assert "head.weight" not in planned.kept


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(40, 30),
    "convolutions": lambda: nn.Sequential(
        nn.Conv2d(6, 8, 3, groups=2), nn.ConvTranspose2d(6, 8, 3), nn.BatchNorm2d(8)
    ),
    "embedding": lambda: nn.Sequential(nn.Embedding(11, 4), nn.LayerNorm(4)),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "encoder": lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_default_is_what_a_saved_module_of_pytorch_began_with(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    module = nn.Sequential(LAYERS[kind]())
    file = BytesIO()
    torch.save(module, file)
    checkpoint = read_checkpoint(BytesSource(file.getvalue(), "module.pt"))
    planned = plan_scheme(checkpoint, "default")
    assert not planned.kept
    for found in planned.draws:
        tensor = module.state_dict()[found.names[0]]
        expected = recorder.drawn.get(tensor.data_ptr())
        expected = expected or Constant(tensor.flatten()[0].item())
        assert found.distribution == expected, found.names


@pytest.mark.parametrize("kind", ["mlp", "conv", "lstm"])
def test_the_bounds_of_default_are_those_of_reset_parameters(kind: str) -> None:
    """A layer's largest values over many resets come as close to the bound as ours do."""
    torch.manual_seed(0)
    module = nets.MODULES[kind]()
    checkpoint = checkpoint_of(module.state_dict())
    for found in plan_scheme(checkpoint, "default").draws:
        ours = [bounds(checkpoint, found.names[0], seed) for seed in range(50)]
        torchs = [reset_bounds(module, found.names[0]) for _ in range(50)]
        assert max(ours) == pytest.approx(max(torchs), rel=0.15)


def bounds(checkpoint: Checkpoint, name: str, seed: int) -> float:
    filled = initialize(checkpoint, plan_scheme(checkpoint, "default"), seed)
    return float(abs(values_of(filled[name])).max())


def reset_bounds(module: nn.Module, name: str) -> float:
    owner = module.get_submodule(name.rpartition(".")[0])
    owner.reset_parameters()  # type: ignore[operator] # every layer of these has one
    return float(module.state_dict()[name].abs().max())


FUSED = parameter("attn.c_attn.weight", 96, 32)


def fused_rule(scheme: str, **others: Any) -> Rule:
    return Rule(scheme, "attn", parse_scheme(scheme), WEIGHTS, split=3, **others)


def test_a_fused_weight_has_the_fans_of_a_part() -> None:
    (found,) = plan(model(FUSED), [fused_rule("xavier_normal")]).draws
    assert found.distribution == Normal(0.0, sqrt(2 / (32 + 32)))


@pytest.mark.parametrize(("shape", "layout"), [((96, 32), "out_in"), ((32, 96), "in_out")])
def test_fused_orthogonal_matrices_are_each_orthogonal(shape: tuple[int, int], layout: str) -> None:
    entry = parameter("attn.c_attn.weight", *shape)
    filled = draw_by(model(entry), fused_rule("orthogonal", layout=layout))
    parts = np.split(values_of(filled[entry.name]), 3, 0 if layout == "out_in" else 1)
    for part in parts:
        assert np.allclose(part @ part.T, np.eye(32), atol=1e-5)
    assert not any(np.array_equal(parts[0], other) for other in parts[1:])


def test_a_layer_of_a_known_class_is_split_along_its_outputs() -> None:
    net = model(parameter("attn.c_attn.weight", 32, 96), types={"attn.c_attn": "Conv1D"})
    part = values_of(draw_by(net, fused_rule("orthogonal"))["attn.c_attn.weight"])[:, :32]
    assert np.allclose(part @ part.T, np.eye(32), atol=1e-5)


@pytest.mark.parametrize("shape", [(), (97,), (97, 32)])
def test_what_does_not_fall_in_equal_parts_is_not_split(shape: tuple[int, ...]) -> None:
    entry = parameter("w", *shape)
    rule = Rule("fused", "w", parse_scheme("normal"), WEIGHTS, split=3)
    with pytest.raises(
        TargetError, match=r"'w' of shape .* cannot be split into 3 along dimension"
    ):
        plan(model(entry), [rule])


def test_the_layout_and_known_fans_of_a_rule_count() -> None:
    net = model(parameter("a.weight", 10, 40))
    scheme = parse_scheme("lecun_normal")
    for others, fan_in in (({}, 40), ({"layout": "in_out"}, 10), ({"fans": (7, 9)}, 7)):
        rule = Rule("", "", scheme, WEIGHTS, **others)
        assert plan(net, [rule]).draws[0].distribution.std == pytest.approx(sqrt(1 / fan_in))


def test_other_parameters_are_not_touched() -> None:
    state = {"a.weight": torch.randn(3, 4), "a.bias": torch.randn(3)}
    before = checkpoint_of(state)
    filled = draw(before, "a=normal")
    assert filled["a.bias"] == before["a.bias"]
    assert torch.equal(tensor_of(filled["a.bias"]), state["a.bias"])


def test_a_view_of_a_larger_tensor_becomes_a_tensor_of_its_own() -> None:
    whole = torch.zeros(6, 4)
    state = {"whole": whole, "part.weight": whole[:3].T}
    filled = draw(checkpoint_of(state), "part.weight=normal")
    entry = filled["part.weight"]
    assert entry.strides is None
    assert not filled.overlaps
    assert np.array_equal(values_of(entry), drawn(parameter("part.weight", 4, 3), "normal"))
    assert not tensor_of(filled["whole"]).any()


def test_parameters_without_values_take_some() -> None:
    filled = draw(checkpoint_of({"a.weight": torch.empty(3, 4, device="meta")}), "a=normal")
    expected = drawn(parameter("a.weight", 3, 4), "normal")
    assert np.array_equal(values_of(filled["a.weight"]), expected)
    assert filled["a.weight"].layout == "strided"


def test_a_parameter_without_a_name_has_a_role_like_any_other() -> None:
    planned = plan_scheme(model(parameter("", 4), parameter("a.weight", 4, 4)), "xavier")
    assert schemes_of(planned) == {"a.weight": "xavier_uniform"}


def test_every_draw_is_announced_once_when_its_values_are_read() -> None:
    said: list[str] = []
    planned = plan_rules(NET, "h.0.fc.weight=normal", "h.1.fc.weight=orthogonal")
    filled = initialize(NET, planned, 0, announce=lambda draw: said.append(draw.entry.name))
    assert said == []
    for _ in range(2):
        bytes_of(filled["h.1.fc.weight"])
    assert said == ["h.1.fc.weight"]


def records(checkpoint: Checkpoint) -> Any:
    return json.loads(checkpoint.metadata["paramctl.init"])


def test_the_metadata_say_what_was_drawn() -> None:
    filled = draw(tied(keep="head.weight"), "h=normal(std=0.5)", "emb=xavier", seed=7)
    assert records(filled) == [
        {"scheme": "normal(std=0.5)", "rule": "h=normal(std=0.5)", "seed": 7,
         "parameters": ["h.0.fc.weight", "h.1.fc.weight"]},
        {"scheme": "xavier_uniform", "rule": "emb=xavier", "seed": 7,
         "parameters": ["emb.weight", "head.weight"]},
    ]  # fmt: skip


def test_what_was_said_of_parameters_that_are_drawn_anew_is_replaced() -> None:
    again = draw(draw(NET, "h=normal", "emb=normal"), "h.0=ones", "emb=ones", seed=1)
    assert [(one["scheme"], one["seed"], one["parameters"]) for one in records(again)] == [
        ("normal", 0, ["h.1.fc.weight"]),
        ("ones", 1, ["emb.weight"]),
        ("ones", 1, ["h.0.fc.weight"]),
    ]


@pytest.mark.parametrize(
    "broken", ["", "{", "5", "[5]", '{"a": 1}', '[{"scheme": "x"}]', "[" * 10**5, 5, None]
)
def test_a_record_that_is_broken_is_dropped_and_other_metadata_stay(broken: object) -> None:
    net = model(parameter("a.weight", 4, 4))
    net.metadata |= {"paramctl.init": broken, "author": "me"}
    filled = draw(net, "a=ones")
    assert [one["parameters"] for one in records(filled)] == [["a.weight"]]
    assert filled.metadata["author"] == "me"
    assert net.metadata["paramctl.init"] == broken


def test_who_lets_go_of_a_matrix_does_not_wait_until_it_is_computed() -> None:
    started, finished = Event(), Event()

    class Slow(Constant):
        @property
        def is_blockwise(self) -> bool:
            return False

        def sample(self, stream: Stream, start: int, count: int) -> Any:
            started.set()
            finished.wait()
            return super().sample(stream, start, count)

    source = Filled(parameter("w", 3), Slow(1.0), Stream(0, "w"))
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(source.read, 0, 12)
        started.wait()
        try:
            pool.submit(source.release).result(timeout=5)
        finally:
            finished.set()
    assert reading.result() == np.ones(3, "<f4").tobytes()
