"""ONNX models: the initializers of the graph, in the file or in one beside or below it.

The nodes are passed by, whatever they hold; where they hold much, that is told.
Source: onnx/onnx.proto of ONNX 1.23.
"""

from paramctl.checkpoint import MISSING, Checkpoint, Entry, ReadOptions
from paramctl.dtypes import UNKNOWN
from paramctl.errors import LimitError, MalformedError
from paramctl.formats.missing import shorten
from paramctl.formats.onnx.protos import Place, Proto, add_pair, add_sizes, check_shape, read_proto
from paramctl.formats.onnx.values import Values
from paramctl.formats.protobuf import VARINT, Field, Reader
from paramctl.sources import Source
from paramctl.ties import resolve_declared, resolve_shared

GRAPH, OPSET, PROPERTY = 7, 8, 14  # fields of a model
NUMBERS = {1: "ir_version", 5: "model_version"}
TEXTS = {2: "producer_name", 3: "producer_version", 4: "domain", 6: "doc_string"}
NODE, INITIALIZER, SPARSE = 1, 5, 15  # fields of a graph
BIG_NODE = 1 << 16  # bytes: more than what a node does takes, so that there are values
SPARSE_PARTS, SPARSE_SIZES = (1, 2), 3  # values and indices; fields of a sparse tensor
MAX_OPSETS = 1000
DEFAULT_DOMAIN = "ai.onnx"  # ONNX's own, whose name is empty


def read(source: Source, options: ReadOptions) -> Checkpoint:
    """Read what the model says of its initializers; none of their bytes.

    Raises:
        MalformedError: it breaks a rule of the format.
        UnsafeError: the values are said to be in a file that is neither beside it nor below it.
        LimitError: its texts are longer than the options allow.
    """
    reader = Reader(source, options.max_header_bytes)
    checkpoint = Checkpoint(source.name, "onnx", {})
    graph = _read_model(checkpoint, reader)
    values = Values(source, options)
    in_nodes = 0
    for field in reader.message(graph):
        if field.number == INITIALIZER:
            _add_initializer(checkpoint, read_proto(reader, field), values)
        elif field.number == SPARSE:
            _add_sparse(checkpoint, reader, field, values)
        elif field.number == NODE and field.nbytes >= BIG_NODE:
            in_nodes += field.nbytes
    if in_nodes:
        checkpoint.others["(nodes)"] = f"{in_nodes:,} bytes of constants or sub-graphs"
    checkpoint.complaints = shorten([f"{file} is missing" for file in values.missing])
    resolve_declared(checkpoint)
    resolve_shared(checkpoint)
    return checkpoint


def _read_model(checkpoint: Checkpoint, reader: Reader) -> Field:
    """Note what the model says of itself; return its graph."""
    facts: dict[str, object] = {}
    opsets: dict[str, int] = {}
    properties: dict[str, str] = {}
    graph: Field | None = None
    for field in reader.fields(0, reader.source.size):
        if field.number == GRAPH and graph is None:
            graph = field
        elif field.number == GRAPH or NUMBERS.get(field.number) in facts:
            raise MalformedError(f"ambiguous: the model has field {field.number} twice")
        elif field.number in NUMBERS and field.wire == VARINT:
            facts[NUMBERS[field.number]] = field.signed
        elif field.number in TEXTS:
            facts[TEXTS[field.number]] = reader.text(field)
        elif field.number == OPSET:
            opsets |= _read_opset(reader, field)
        elif field.number == PROPERTY:
            add_pair(properties, reader, field)
        if len(opsets) > MAX_OPSETS:
            raise LimitError(f"a model of more than {MAX_OPSETS} operator sets")
    if graph is None or not opsets:
        raise MalformedError(f"no ONNX model: it has no {'operator set' if graph else 'graph'}")
    checkpoint.metadata = facts | {"opset_import": opsets} | properties
    return graph


def _read_opset(reader: Reader, field: Field) -> dict[str, int]:
    domain, version = "", 0
    for part in reader.message(field):
        if part.number == 1:
            domain = reader.text(part)
        elif part.number == 2:
            version = part.signed
    return {domain or DEFAULT_DOMAIN: version}


def _add_initializer(checkpoint: Checkpoint, proto: Proto, values: Values) -> None:
    if proto.dtype is None:
        _check_name(checkpoint, proto.name)
        checkpoint.others[proto.name] = f"{proto.numel:,} text{'s'[: proto.numel != 1]}"
        return
    entry = values.entry(proto, proto.dtype)
    _add(checkpoint, entry)
    if entry.layout == MISSING and isinstance(proto.data, Place):
        why = f"{proto.data.file} is not there; put it beside the model"
        checkpoint.missing[proto.name] = why


def _add(checkpoint: Checkpoint, entry: Entry) -> None:
    _check_name(checkpoint, entry.name)
    checkpoint.entries[entry.name] = entry


def _check_name(checkpoint: Checkpoint, name: str) -> None:
    if not name:
        raise MalformedError("an initializer has no name")
    if name in checkpoint.entries or name in checkpoint.others:
        raise MalformedError(f"two initializers have the name '{name}'")


def _add_sparse(checkpoint: Checkpoint, reader: Reader, field: Field, values: Values) -> None:
    """Add a tensor of which only some elements are stored."""
    protos: dict[int, Proto] = {}
    sizes: list[int] = []
    for part in reader.message(field):
        if part.number in SPARSE_PARTS and part.number not in protos:
            protos[part.number] = read_proto(reader, part)
        elif part.number == SPARSE_SIZES:
            add_sizes(sizes, reader, part)
    parts = [
        values.entry(protos[n], protos[n].dtype or UNKNOWN) for n in SPARSE_PARTS if n in protos
    ]
    if len(parts) < len(SPARSE_PARTS):
        raise MalformedError("a sparse initializer without values or indices")
    name = parts[0].name
    whole = Entry(name, parts[0].dtype, check_shape(name, sizes), None, layout="sparse")
    _add(checkpoint, whole._replace(parts=tuple(parts)))
