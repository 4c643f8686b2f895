"""Numbers as people read them. Empty text for what is not known, so that a line can leave it out."""

from __future__ import annotations

import unicodedata


def count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(number: int | None) -> str:
    return "" if number is None else count(number, "token")


def dollars(amount: float | None) -> str:
    """US dollars; a single answer costs fractions of a cent, so small amounts keep their digits."""
    if amount is None:
        return ""
    if amount >= 1:
        return f"${amount:,.2f}"
    if 0 < amount < 0.000_001:
        return "<$0.000001"
    return f"${amount:.6f}".rstrip("0").rstrip(".")


def duration(nanoseconds: int) -> str:
    """In the two largest units that say something; what is rounded up to the next unit is told in that unit."""
    milliseconds = (nanoseconds + 500_000) // 1_000_000
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds, tenths = divmod((milliseconds + 50) // 100, 10)
    if seconds < 60:
        return f"{seconds}.{tenths} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds // 60 % 60} min"


def moment(what: str, nanoseconds: int | None) -> str:
    return "" if nanoseconds is None else f"{what} {duration(nanoseconds)}"


def size(octets: int) -> str:
    """Decimal units, as a disk's maker has them; one digit after the point above a kilobyte."""
    if octets < 1000:
        return f"{octets} B"
    number = octets / 1000
    for unit in ("KB", "MB"):
        if number < 999.95:  # above, it would be rounded to 1000.0
            return f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def printable(text: str) -> str:
    """For a terminal, which obeys control characters and cannot take all that a Python string may hold."""
    return text if text.isprintable() else ascii(text)[1:-1]


class _Escapes(dict[int, str | None]):
    """For `str.translate`: what each character is shown as; looked up once."""

    def __missing__(self, code: int) -> str:
        shown = ascii(chr(code))[1:-1] if unicodedata.category(chr(code)) in _UNSEEN else chr(code)
        self[code] = shown
        return shown


# Control and format characters (those that turn the text around among them), lone surrogates, line ends.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_JOINERS = (0x200C, 0x200D)  # they make words of Persian and families of emoji, and are harmless
_ESCAPES = _Escapes({0x09: "\t"} | {code: chr(code) for code in _JOINERS})


def visible(text: str) -> str:
    """The same for text of any script: only what a terminal would obey, and what would hide, is spelled out."""
    return text if text.isprintable() else text.translate(_ESCAPES)
