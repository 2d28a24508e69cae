"""`print` is `str(net)`: of specs, factories and configs, and of pickled modules never loaded."""

import warnings
from collections.abc import Callable
from pathlib import Path

import nets
import pytest
import torch
import transformers
from forks import Forks
from printed import counted, numel, one_module, printed, read
from program import paramctl
from torch import nn
from torch.nn.utils import prune
from zip_bytes import save

import paramctl as library

SAMPLES = Path(__file__).parents[1] / "sample_models"
CODE = """
import torch
from torch import nn

class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 3)
    def extra_repr(self):
        return "first\\n\\nsecond"
    def __repr__(self):
        return f"<Loud of {self.inner}\\n>"

class Telling(nn.Module):
    def __init__(self):
        super().__init__()
        self.add_module("none", None)
        self.inner = nn.ReLU()
        self.held = nn.ParameterDict({"w": nn.Parameter(torch.ones(2))})
    def extra_repr(self):
        return "first\\n\\nsecond \\\\"

class Failing(nn.Module):
    def extra_repr(self):
        raise ValueError("no words")

def loud():
    return nn.Sequential(nn.Sequential(Loud()), Loud())

def telling():
    return nn.Sequential(Telling(), nn.ModuleList([nn.ReLU()] * 3))

def failing():
    return nn.Sequential(Failing())

def deep(depth=300):
    net = nn.Linear(1, 1)
    for _ in range(depth):
        net = nn.Sequential(net)
    return net
"""


class Own(nn.Module):
    """A class that nobody who prints its file has."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 3
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3), nn.ReLU(), nn.ReLU()])
        self.add_module("nothing", None)
        self.layers.append(nn.Linear(3, 2, bias=False))
        self.scale = nn.Parameter(torch.ones(3))


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(3, 2))


def pruned() -> nn.Module:
    net = nn.Linear(3, 2)
    prune.l1_unstructured(net, "weight", 1)  # type: ignore[no-untyped-call]
    return net


LAYERS: dict[str, Callable[[], nn.Module]] = {
    **nets.MODULES,
    "own": Own,
    "linear without bias": lambda: nn.Linear(4, 8, bias=False),
    "identity": lambda: nn.Identity(54, unused=3),
    "conv with all": lambda: nn.Conv2d(
        4, 8, (3, 5), stride=2, padding=(1, 2), dilation=2, groups=2, bias=False
    ),
    "conv of padding by name": lambda: nn.Conv2d(3, 4, 3, padding="same", padding_mode="reflect"),
    "transposed": lambda: nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=1),
    "batch norm without statistics": lambda: nn.BatchNorm2d(3, track_running_stats=False),
    "sync batch norm": lambda: nn.SyncBatchNorm(3),
    "lstm with all": lambda: nn.LSTM(
        3, 4, 2, bias=False, batch_first=True, dropout=0.5, bidirectional=True, proj_size=2
    ),
    "rnn": lambda: nn.RNN(3, 4, nonlinearity="relu"),
    "lstm cell": lambda: nn.LSTMCell(3, 4, bias=False),
    "embedding with all": lambda: nn.Embedding(
        9, 3, padding_idx=1, max_norm=2.0, norm_type=1.0, scale_grad_by_freq=True, sparse=True
    ),
    "embedding bag with all": lambda: nn.EmbeddingBag(9, 3, max_norm=1.0, mode="sum"),
    "decoder": lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 3),
    "layer norm of two": lambda: nn.LayerNorm([3, 4], eps=1e-3, elementwise_affine=False),
    "response norm": lambda: nn.LocalResponseNorm(2),
    "dropouts": lambda: nn.Sequential(nn.Dropout(0.25), nn.Dropout2d(inplace=True)),
    "upsample": lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    "upsample to a size": lambda: nn.UpsamplingNearest2d(size=(3, 4)),
    "pools": lambda: nn.Sequential(
        nn.MaxPool2d(2), nn.AvgPool1d(3), nn.AdaptiveAvgPool2d((1, None)), nn.LPPool2d(2, 3)
    ),
    "more pools": lambda: nn.Sequential(
        nn.FractionalMaxPool2d(2, output_size=3), nn.MaxUnpool2d(2), nn.AdaptiveMaxPool1d(2)
    ),
    "pads": lambda: nn.Sequential(
        nn.ZeroPad2d(2), nn.ConstantPad1d((1, 2), 3.5), nn.ReflectionPad2d(1), nn.CircularPad1d(1)
    ),
    "shapes": lambda: nn.Sequential(
        nn.Flatten(2), nn.Unflatten(1, (2, 2)), nn.Fold((4, 4), 2), nn.Unfold(2), nn.PixelShuffle(3)
    ),
    "more shapes": lambda: nn.Sequential(nn.ChannelShuffle(2), nn.PixelUnshuffle(2)),
    "activations": lambda: nn.Sequential(
        nn.ELU(0.5), nn.LeakyReLU(0.2, inplace=True), nn.PReLU(3), nn.Softmax(dim=1), nn.RReLU()
    ),
    "more activations": lambda: nn.Sequential(
        nn.GELU("tanh"),
        nn.Threshold(1, 2.5),
        nn.Hardtanh(-2, 2),
        nn.GLU(),
        nn.Softplus(2),
        nn.SiLU(),
    ),
    "shrinks": lambda: nn.Sequential(
        nn.Hardshrink(),
        nn.Softshrink(0.1),
        nn.Tanhshrink(),
        nn.LogSoftmax(-1),
        nn.ReLU6(inplace=True),
    ),
    "losses": lambda: nn.ModuleList(
        [nn.MSELoss(), nn.CrossEntropyLoss(label_smoothing=0.1), nn.L1Loss(), nn.HuberLoss()]
    ),
    "more losses": lambda: nn.ModuleDict(
        {"t": nn.TripletMarginLoss(), "n": nn.NLLLoss(torch.ones(3)), "b": nn.BCEWithLogitsLoss()}
    ),
    "adaptive softmax": lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10], div_value=2),
    "distances": lambda: nn.Sequential(nn.CosineSimilarity(dim=2), nn.PairwiseDistance(1.0)),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(3), nn.LazyConv2d(4, 3), nn.LazyBatchNorm1d()),
    "lists of lists": lambda: nn.ModuleList(
        [nn.ModuleList([nn.Linear(2, 2) for _ in range(3)]) for _ in range(2)] + [nn.ModuleList()]
    ),
    "lists of blocks": lambda: nn.ModuleList([nets.mlp(), nets.mlp(), nn.ReLU(), nets.mlp()]),
    "empty": lambda: nn.Sequential(
        nn.Sequential(), nn.ModuleDict(), nn.ParameterList(), nn.Module()
    ),
    "parameter list of anything": lambda: nn.ParameterList([torch.rand(2, 3), 5, "text"]),
    "parameter dict of anything": lambda: nn.ParameterDict(
        {"w": torch.rand(2, 3).half(), "n": None, "x": 1}
    ),
    "weight norm": old_weight_norm,
    "pruned": pruned,
}


# Whole modules


@pytest.mark.parametrize("kind", LAYERS)
def test_a_pickled_module_is_printed_as_python_prints_it(kind: str) -> None:
    net = LAYERS[kind]()
    assert printed(save(net)) == str(net)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_every_protocol_of_pickles_is_printed(protocol: int) -> None:
    net = nn.Sequential(Own(), nn.LSTM(2, 3))
    assert printed(save(net, pickle_protocol=protocol)) == str(net)
    assert read(save(net, pickle_protocol=protocol)).types["0"] == "Own"


def test_a_file_of_before_torch_1_6_is_printed() -> None:
    net = nets.conv_net()
    assert printed(save(net, _use_new_zipfile_serialization=False)) == str(net)


def test_a_module_in_a_training_checkpoint_is_printed() -> None:
    net = nets.mlp()
    assert printed(save({"epoch": 3, "model": net, "optimizer": {}})) == str(net)


def test_a_class_within_a_class_is_printed_by_its_own_name() -> None:
    assert printed(one_module("mine", "Outer.Inner")) == "Inner()"


@pytest.mark.parametrize("attribute", ["in_features", "out_features"])
def test_what_an_older_torch_did_not_save_is_left_out(attribute: str) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    del net[0].__dict__[attribute]
    assert printed(save(net)) == "Sequential(\n  (0): Linear()\n  (1): ReLU()\n)"


# What is known of its own file: specs, factories, configs


@pytest.mark.parametrize("name", ["mlp", "nested", "shared", "cnn", "gpt"])
def test_a_spec_is_printed_as_what_it_builds(torch_forks: Forks, name: str) -> None:
    spec = SAMPLES / f"{name}.yaml"
    build = library.open(spec).build
    assert build is not None
    assert torch_forks.run("print", spec).out == f"{build('cpu')}\n"


def test_the_regular_net_is_printed_from_its_spec_and_from_its_file(torch_forks: Forks) -> None:
    net = torch.load(SAMPLES / "rgnet_module.pt", weights_only=False)
    assert torch_forks.run("print", SAMPLES / "rgnet_module.pt").out == f"{net}\n"
    assert torch_forks.run("print", SAMPLES / "nested.yaml").out == f"{net}\n"


def test_a_file_that_carries_its_spec_is_printed(torch_forks: Forks, tmp_path: Path) -> None:
    path = tmp_path / "shared.safetensors"
    assert torch_forks.run("init", SAMPLES / "shared.yaml", "--seed", "0", "-o", path).code == 0
    for options in ([], ["--counts"]):
        run = torch_forks.run("print", path, *options)
        assert run.out == torch_forks.run("print", SAMPLES / "shared.yaml", *options).out


def test_a_config_is_printed_as_transformers_prints_its_model(transformers_forks: Forks) -> None:
    folder = SAMPLES / "llama_config"
    config = transformers.AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        net = transformers.AutoModelForCausalLM.from_config(config)
    assert transformers_forks.run("print", folder).out == f"{net}\n"
    assert "(0-3): 4 x LlamaDecoderLayer(" in str(net)
    first, *_, last = transformers_forks.run("print", folder, "--counts").out.splitlines()
    assert first == f"LlamaForCausalLM(  # {numel(net):,} + 32,768 tied"
    assert last == f"{numel(net):,} parameters, 1 tie counted once"


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], nn.Module]]:
    """Return the functions of a file of the user's, which lies in the folder that is current."""
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    functions: dict[str, Callable[[], nn.Module]] = {}
    exec(CODE, functions)  # noqa: S102 (the oracle)
    return functions


@pytest.mark.parametrize("name", ["loud", "telling"])
def test_a_factory_prints_in_its_own_words(
    code: dict[str, Callable[[], nn.Module]], name: str
) -> None:
    run = paramctl("print", f"mine.py:{name}")
    assert run.out == f"{code[name]()}\n"
    assert run.err == ""


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(
    ("name", "exit_code", "message"),
    [
        ("failing", 2, "mine.py:failing: mine.py:failing raised ValueError: no words"),
        ("deep", 5, "mine.py:deep: modules are nested more than 256 deep"),
    ],
)
def test_a_factory_that_cannot_be_printed_is_told(name: str, exit_code: int, message: str) -> None:
    run = paramctl("print", f"mine.py:{name}")
    assert (run.code, run.err, run.out) == (exit_code, f"paramctl: {message}\n", "")


# Numbers of parameters


@pytest.mark.parametrize("kind", ["mlp", "encoder", "conv", "own", "parameter list", "attention"])
def test_counts_are_those_of_each_module(kind: str) -> None:
    net = LAYERS[kind]()
    *lines, total = counted(save(net))
    assert [line.partition("  # ")[0] for line in lines] == str(net).splitlines()
    told = [line.partition("  # ")[2] for line in lines if line.partition("  # ")[2]]
    assert told[0] == f"{numel(net):,}"
    assert total == f"{numel(net):,} parameters"


def test_each_line_has_the_number_of_its_module() -> None:
    net = nn.Sequential(nets.mlp(), nn.BatchNorm1d(4), nn.Linear(4, 300))
    lines = [line for line in counted(save(net)) if "  # " in line]
    modules = [each for each in net.modules() if numel(each)]
    assert [line.partition("  # ")[2] for line in lines] == [f"{numel(m):,}" for m in modules]


def test_layers_that_are_folded_have_the_number_of_each() -> None:
    net = nn.ModuleList([nets.mlp(), nets.mlp(), nn.ReLU()])
    assert counted(save(net)) == [
        "ModuleList(  # 98",
        "  (0-1): 2 x Sequential(  # 2 x 49",
        "    (0): Linear(in_features=4, out_features=8, bias=True)  # 40",
        "    (1): ReLU()",
        "    (2): Linear(in_features=8, out_features=1, bias=True)  # 9",
        "  )",
        "  (2): ReLU()",
        ")",
        "98 parameters",
    ]


def test_folded_layers_of_which_some_are_tied_have_the_sum() -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    net = nn.ModuleList([one, one, other])
    assert counted(save(net)) == [
        "ModuleList(  # 12 + 6 tied",
        "  (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)  # 12 + 6 tied",
        ")",
        "12 parameters, 2 ties counted once",
    ]
    assert numel(net) == 12


def test_ties_are_told_where_they_stand() -> None:
    net = nets.Tied()
    lines = counted(save(net))
    assert lines[0] == f"Tied(  # {numel(net)} + 48 tied"
    assert lines[2].endswith("out_features=7, bias=False)  # 28 tied")
    assert lines[-1] == f"{numel(net)} parameters, 3 ties counted once"


def test_a_parameter_without_a_shape_counts_as_nothing() -> None:
    assert counted(save(nn.LazyLinear(3)))[-1] == "0 parameters"


# Files that know no modules


def test_a_state_dict_says_what_to_do(torch_forks: Forks) -> None:
    run = torch_forks.run("print", SAMPLES / "mlp.pt")
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        f"paramctl: {SAMPLES}/mlp.pt: it is no whole module and carries no spec, so its modules "
        f"cannot be printed; see its parameters with: paramctl ls {SAMPLES}/mlp.pt\n"
    )


@pytest.mark.parametrize("name", ["mlp.safetensors", "mlp_traced.pt", "mlp_exported.pt2", "gpt2"])
def test_no_other_file_without_modules_is_printed(torch_forks: Forks, name: str) -> None:
    run = torch_forks.run("print", SAMPLES / name)
    assert (run.code, run.out) == (2, "")


def test_standard_input_is_told_as_it_is_typed() -> None:
    run = paramctl("print", stdin=save(nets.mlp().state_dict()))
    assert run.err.endswith("see its parameters with: paramctl ls -\n")


def test_it_takes_one_model(torch_forks: Forks) -> None:
    run = torch_forks.run("print", SAMPLES / "mlp.yaml", "0")
    hint = "print each by itself, diff compares two"
    assert (run.code, run.err) == (2, f"paramctl: one model at a time, not '0' too; {hint}\n")
