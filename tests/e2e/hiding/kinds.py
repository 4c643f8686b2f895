"""Kinds of secret: each makes as many as are asked for, all different. Put together, so that no scanner takes them."""

from __future__ import annotations

import base64
import json
import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass

_ANY = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + "234567"
_URL = _ANY + "-_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`shapeless`: known only to who has seen it used as a credential."""

    name: str
    make: Callable[[random.Random], str]
    shapeless: bool = False

    def secret(self, number: int) -> str:
        return self.make(random.Random(f"{self.name} {number}"))

    def core(self, number: int) -> str:
        """The longest part without what all of this kind have at their ends."""
        secret, others = self.secret(number), [self.secret(-1), self.secret(-2)]
        head = _alike([secret, *others])
        tail = _alike([text[::-1] for text in (secret, *others)])
        return max(re.split(r"\.", secret[head : len(secret) - tail]), key=len)


def _alike(texts: list[str]) -> int:
    """How many characters they have in common from the start."""
    return next(at for at, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1)


def _kind(name: str, prefix: str, size: int, alphabet: str = _ANY, *, shapeless: bool = False) -> Kind:
    return Kind(name=name, make=lambda chance: prefix + _some(chance, size, alphabet), shapeless=shapeless)


def _some(chance: random.Random, size: int, alphabet: str = _ANY) -> str:
    """With a digit in it, as nearly every one of them has that was ever issued."""
    text = "".join(chance.choice(alphabet) for _ in range(size - 1))
    at = chance.randrange(size)
    return text[:at] + chance.choice(string.digits[2:8] if alphabet == _UPPER else string.digits) + text[at:]


def _jwt(chance: random.Random) -> str:
    claims = json.dumps({"sub": _some(chance, 24)}).encode()
    parts = (b'{"alg":"HS256","typ":"JWT"}', claims, chance.randbytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _pem(chance: random.Random) -> str:
    lines = "\n".join(_some(chance, 64, _ANY + "+/") for _ in range(4))
    return f"-----BEGIN {'PRIVATE'} KEY-----\n{lines}\n{_some(chance, 30)}==\n-----END {'PRIVATE'} KEY-----"


def _uuid(chance: random.Random) -> str:
    return "-".join(_some(chance, size, _HEX) for size in (8, 4, 4, 4, 12))


KINDS = (
    _kind("OpenRouter", "sk-" + "or-v1-", 64, _HEX),
    _kind("OpenAI", "sk-" + "proj-", 120, _URL),
    _kind("Anthropic", "sk-" + "ant-api03-", 93, _URL),
    _kind("Google", "AIza" + "Sy", 33, _URL),
    _kind("xAI", "xai" + "-", 80),
    _kind("Groq", "gsk" + "_", 52),
    _kind("Mistral", "", 32, shapeless=True),
    _kind("DeepSeek", "sk" + "-", 32, _HEX),
    _kind("Perplexity", "pplx" + "-", 48),
    _kind("Hugging Face", "hf" + "_", 34),
    _kind("Replicate", "r8" + "_", 37),
    Kind(name="LangSmith", make=lambda chance: f"lsv2_{'pt'}_{_some(chance, 32, _HEX)}_{_some(chance, 10, _HEX)}"),
    Kind(name="Langfuse", make=lambda chance: f"sk-{'lf'}-{_uuid(chance)}"),
    _kind("AWS id", "AKI" + "A", 16, _UPPER),
    _kind("AWS secret", "", 40, _ANY + "+/", shapeless=True),
    _kind("GitHub", "ghp" + "_", 36),
    _kind("GitLab", "glpat" + "-", 20, _URL),
    Kind(name="Slack", make=lambda c: f"xox{'b'}-{_some(c, 12, string.digits)}-{_some(c, 24)}"),
    _kind("Stripe", "sk_" + "live_", 24),
    Kind(name="JWT", make=_jwt),
    Kind(
        name="password",
        make=lambda chance: f'p"{_some(chance, 4)}\\d/<&>+%41{_some(chance, 3)} é={_some(chance, 3)}',
        shapeless=True,
    ),
)
"""Those of the table: 21."""

MORE_KINDS = (
    _kind("OpenAI, service account", "sk-" + "svcacct-", 60, _URL),
    _kind("OpenAI, old", "sk" + "-", 48),
    _kind("Anthropic, admin", "sk-" + "ant-admin01-", 80, _URL),
    _kind("Google OAuth", "ya29" + ".a0", 80, _URL),
    _kind("AWS session", "IQoJb3JpZ2lu" + "X2Vj", 200, _ANY + "+/"),
    _kind("AWS Bedrock", "ABSK", 100, _ANY + "+/"),
    _kind("Azure", "", 84, shapeless=True),
    Kind(name="Azure client secret", make=lambda c: f"{_some(c, 3)}8{'Q~'}{_some(c, 34, _URL)}"),
    _kind("GitHub, fine-grained", "github" + "_pat_", 82, _ANY + "_"),
    _kind("Fireworks", "fw" + "_", 22),
    _kind("Cerebras", "csk" + "-", 48),
    _kind("NVIDIA", "nvapi" + "-", 64, _URL),
    _kind("Together", "tgp" + "_v1_", 43, _URL),
    _kind("npm", "npm" + "_", 36),
    _kind("PyPI", "pypi" + "-AgEIcHlwaS5vcmc", 120, _URL),
    Kind(name="SendGrid", make=lambda chance: f"{'SG'}.{_some(chance, 22, _URL)}.{_some(chance, 43, _URL)}"),
    Kind(name="Telegram", make=lambda c: f"{_some(c, 10, string.digits[1:])}:{'AA'}{_some(c, 33, _URL)}"),
    Kind(name="private key", make=_pem),
    Kind(name="UUID", make=_uuid, shapeless=True),
    _kind("hexadecimal", "", 32, _HEX, shapeless=True),
    _kind("short", "", 9, shapeless=True),
    Kind(name="letters", make=lambda c: "".join(c.choice(string.ascii_lowercase) for _ in range(14)), shapeless=True),
)
