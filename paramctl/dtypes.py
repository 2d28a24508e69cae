"""One table of element types: torch's short name, bits, and how others spell it."""

from typing import NamedTuple


class DType(NamedTuple):
    """An element type.

    `name` is torch's without the `torch.`, `bits` the stored size of one element,
    `safetensors` the format's spelling, `numpy` the little-endian array-protocol string of
    the numpy type that holds the same values. Empty where there is no such spelling.
    """

    name: str
    bits: int
    safetensors: str = ""
    numpy: str = ""


DTYPES = (
    DType("bool", 8, "BOOL", "|b1"),
    DType("uint8", 8, "U8", "|u1"),
    DType("int8", 8, "I8", "|i1"),
    DType("uint16", 16, "U16", "<u2"),
    DType("int16", 16, "I16", "<i2"),
    DType("uint32", 32, "U32", "<u4"),
    DType("int32", 32, "I32", "<i4"),
    DType("uint64", 64, "U64", "<u8"),
    DType("int64", 64, "I64", "<i8"),
    DType("float4_e2m1fn", 4, "F4"),
    DType("float6_e2m3fn", 6, "F6_E2M3"),
    DType("float6_e3m2fn", 6, "F6_E3M2"),
    DType("float8_e4m3fn", 8, "F8_E4M3"),
    DType("float8_e5m2", 8, "F8_E5M2"),
    DType("float8_e8m0fnu", 8, "F8_E8M0"),
    DType("float8_e4m3fnuz", 8, "F8_E4M3FNUZ"),
    DType("float8_e5m2fnuz", 8, "F8_E5M2FNUZ"),
    DType("float16", 16, "F16", "<f2"),
    DType("bfloat16", 16, "BF16"),
    DType("float32", 32, "F32", "<f4"),
    DType("float64", 64, "F64", "<f8"),
    DType("complex32", 32),
    DType("complex64", 64, "C64", "<c8"),
    DType("complex128", 128, "", "<c16"),
    DType("float4_e2m1fn_x2", 8),
    DType("qint8", 8),
    DType("quint8", 8),
    DType("qint32", 32),
    DType("quint4x2", 4),
    DType("quint2x4", 2),
    DType("bits16", 16),
    *(DType(f"bits{packing}", 8) for packing in ("8", "1x8", "2x4", "4x2")),
    *(DType(f"{sign}int{bits}", 8) for sign in ("", "u") for bits in range(1, 8)),
)

BY_NAME = {dtype.name: dtype for dtype in DTYPES}
BY_SAFETENSORS = {dtype.safetensors: dtype for dtype in DTYPES if dtype.safetensors}
FLOATING = frozenset(  # of which values are computed: no scales, and nothing of less than a byte
    {
        *("float64", "float32", "float16", "bfloat16"),
        *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    }
)
UNKNOWN = DType("unknown", 0)
