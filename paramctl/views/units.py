"""Numbers as people read them."""

UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def format_bytes(count: int) -> str:
    """Write a number of bytes with three digits and a decimal unit: `5.24 MB` is 5,240,000."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(UNITS) - 1:
        value /= 1000
        unit += 1
    if not unit:
        return f"{count} B"
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{digits}f} {UNITS[unit]}"


def count_noun(count: int, noun: str) -> str:
    """Write a number with its noun: `1 tensor`, `2,000 tensors`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_number(value: float | None, none: str = "") -> str:
    """Write a number with four digits that count, `none` where there is none."""
    return none if value is None else f"{value:.4g}"


def format_share(value: float | None) -> str:
    """Write a share in percent with three digits, 100% where it is all; "" where there is none."""
    if value is None:
        return ""
    return ">99.9%" if 0.9995 <= value < 1 else f"{100 * value:.3g}%"
