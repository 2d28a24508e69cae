"""One table of element types: torch's short name, bits, and how others spell it."""

from typing import NamedTuple


class DType(NamedTuple):
    """An element type.

    `name` is torch's without the `torch.`, or ggml's, `bits` the stored size of one element, or of
    a block of `block` elements that are stored together. `safetensors` is the format's spelling,
    `numpy` the little-endian array-protocol string of the numpy type that holds the same values,
    empty where there is none; `ggml` the number that stands for it in GGUF files.
    """

    name: str
    bits: int
    safetensors: str = ""
    numpy: str = ""
    ggml: int | None = None
    block: int = 1

    def __str__(self) -> str:
        return self.name

    def nbytes(self, count: int) -> int:
        """The bytes that `count` elements take, packed."""
        return (-(-count // self.block) * self.bits + 7) // 8

    def byte_of(self, place: int) -> int:
        """The byte in which the element at a place begins, or its block does."""
        return place // self.block * self.bits // 8


GGML_BLOCKS = (  # number, name, elements of a block, its bytes: ggml/src/ggml-common.h
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (29, "IQ1_M", 256, 56),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
)

DTYPES = (
    DType("bool", 8, "BOOL", "|b1"),
    DType("uint8", 8, "U8", "|u1"),
    DType("int8", 8, "I8", "|i1", 24),
    DType("uint16", 16, "U16", "<u2"),
    DType("int16", 16, "I16", "<i2", 25),
    DType("uint32", 32, "U32", "<u4"),
    DType("int32", 32, "I32", "<i4", 26),
    DType("uint64", 64, "U64", "<u8"),
    DType("int64", 64, "I64", "<i8", 27),
    DType("float4_e2m1fn", 4, "F4"),
    DType("float6_e2m3fn", 6, "F6_E2M3"),
    DType("float6_e3m2fn", 6, "F6_E3M2"),
    DType("float8_e4m3fn", 8, "F8_E4M3"),
    DType("float8_e5m2", 8, "F8_E5M2"),
    DType("float8_e8m0fnu", 8, "F8_E8M0"),
    DType("float8_e4m3fnuz", 8, "F8_E4M3FNUZ"),
    DType("float8_e5m2fnuz", 8, "F8_E5M2FNUZ"),
    DType("float16", 16, "F16", "<f2", 1),
    DType("bfloat16", 16, "BF16", ggml=30),
    DType("float32", 32, "F32", "<f4", 0),
    DType("float64", 64, "F64", "<f8", 28),
    DType("complex32", 32),
    DType("complex64", 64, "C64", "<c8"),
    DType("complex128", 128, "", "<c16"),
    DType("float4_e2m1fn_x2", 8),
    DType("qint8", 8),
    DType("quint8", 8),
    DType("qint32", 32),
    DType("quint4x2", 4),
    DType("quint2x4", 2),
    *(DType(f"{sign}int4x2", 4) for sign in ("", "u")),  # ONNX's, named as torch's quint4x2 is
    *(DType(f"{sign}int2x4", 2) for sign in ("", "u")),
    DType("bits16", 16),
    *(DType(f"bits{packing}", 8) for packing in ("8", "1x8", "2x4", "4x2")),
    *(DType(f"{sign}int{bits}", 8) for sign in ("", "u") for bits in range(1, 8)),
    *(
        DType(name, 8 * nbytes, ggml=number, block=count)
        for number, name, count, nbytes in GGML_BLOCKS
    ),
)

BY_NAME = {dtype.name: dtype for dtype in DTYPES}
BY_NUMPY = {dtype.numpy[1:]: dtype for dtype in DTYPES if dtype.numpy} | {
    "V2": BY_NAME["bfloat16"]  # two bytes of no type, as which numpy and h5py store it
}
BY_SAFETENSORS = {dtype.safetensors: dtype for dtype in DTYPES if dtype.safetensors}
FLOATING = frozenset(  # of which values are computed: no scales, and nothing of less than a byte
    {
        *("float64", "float32", "float16", "bfloat16"),
        *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
    }
)
BY_GGML = {dtype.ggml: dtype for dtype in DTYPES if dtype.ggml is not None}
UNKNOWN = DType("unknown", 0)
