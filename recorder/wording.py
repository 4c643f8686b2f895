"""Numbers as people read them. Empty text for what is not known, so that a line can leave it out."""

from __future__ import annotations


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(number: int | None) -> str:
    return "" if number is None else count(number, "token")


def dollars(amount: float | None) -> str:
    """US dollars; a single answer costs fractions of a cent, so small amounts keep their digits."""
    if amount is None:
        return ""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.6f}".rstrip("0").rstrip(".")


def duration(nanoseconds: int) -> str:
    seconds = nanoseconds / 1e9
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def moment(what: str, nanoseconds: int | None) -> str:
    return "" if nanoseconds is None else f"{what} {duration(nanoseconds)}"


def size(octets: int) -> str:
    number = float(octets)
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
