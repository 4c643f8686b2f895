"""The table of secrets: how keys look that nobody was seen to log in with.

Each row is a shape. It is looked for only where one of its `anchors` stands, since finding a literal is a hundred times
cheaper than trying an expression. Three ways to look:

- `RUN`: the anchor stands inside a run of at least twenty key characters (`views.runs`), so that it is searched for in
  the few such runs of a text. Nearly every issued key is one.
- `TEXT`: the anchor is searched for in the whole text.
- `FOLDED`: the same in the lower-cased text, which the expression sees too: names of fields in any spelling.

Rules for an expression, each held by a test: its group `secret`, or all of it, is what gets replaced; it is linear,
that is, a repetition is possessive and either nothing may fail behind it, or a lookbehind lets it start only once in a
run of its own characters. Recall comes first: lengths are lower bounds. But a short prefix must stand alone: in a
megabyte of base64 any four letters come up by chance.

Examples are made up, and put together from pieces so that a scanner of this repository does not take them for real.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache


class Look(Enum):
    RUN = auto()
    TEXT = auto()
    FOLDED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One row. `name` is the placeholder's kind; `example` is found, `near_miss` stays.

    `behind`: what the text right before a match has to end with, for where it would slow the expression down. Both are
    compiled when they are first tried: most never are, and all of them together take a tenth of a start's time.
    """

    name: str
    expression: bytes
    anchors: tuple[bytes, ...]
    look: Look
    example: bytes
    near_miss: bytes
    behind: bytes = b""

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Where the secrets are; for a `FOLDED` row `text` is in lower case."""
        behind = _compiled(self.behind)
        for match in _compiled(self.expression).finditer(text):
            start = match.start()
            if behind.search(text, max(0, start - _BEHIND), start):
                yield match.span(match.lastgroup or 0)


_compiled = cache(re.compile)

_BEHIND = 24
"""Characters of a field's name before the part that anchors its row."""

_HEX8 = "0a1b2c3d"
_MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"  # 27 characters
_UPPER = "A2B3C4D5E6F7G2H3"  # 16 characters


def _row(  # noqa: PLR0917  # a table reads best when its columns have no names in each row
    name: str, expression: str, anchors: str, example: str, near_miss: str, look: Look = Look.RUN, behind: str = ""
) -> Pattern:
    return Pattern(
        name=name,
        expression=expression.encode("ascii"),
        anchors=tuple(anchors.encode("ascii").split()),
        look=look,
        example=example.encode("ascii"),
        near_miss=near_miss.encode("ascii"),
        behind=behind.encode("ascii") + rb"\Z" if behind else b"",
    )


# The sign between a field's name and its value (JSON, YAML, shells, headers, XML, Harness-like `"value":`), then a value
# that is no template, call or placeholder and has a digit. One in quotes ends with the quote; a bare one ends with what
# ends a value in a shell, a URL or YAML.
_IS = r"""["']?\s{0,3}(?:[:=]{1,2}>?|=>|>|,\s{0,3}["']?value["']?\s{0,3}[:=])\s{0,3}"""
_BARE = r"""[^\s"'\\<>(){}\[\],;&|`\x00-\x1f]"""
_QUOTED = r"""[^\s"'\\<>\x00-\x1f]"""
_NO_TEMPLATE = r"(?![$<{(\[*]|%\(|x{4}|\.\.\.|your|my[-_]|example|os\.|process\.|env\.)"
_DIGIT = r"""(?=[^\s"'\\<>(){}\[\],;|`\d\x00-\x1f]{0,%d}\d)"""


def _field(name: str, least: int, also: str = "", reach: int = 127) -> str:
    """A value of at least `least` characters behind a field's name; the name is in front, so that it anchors the search.

    `reach`: the digit is one of its first so many characters, more or less; a short name may come again very often.
    """
    start = rf"(?:(?:bearer|basic|token)\s)?{_NO_TEMPLATE}{_DIGIT % reach}{also}"
    quoted = rf"""["']{start}(?P<quoted>{_QUOTED}{{{least},}}+)"""
    return rf"""{name}{_IS}(?:{quoted}|(?!["']){start}(?P<bare>{_BARE}{{{least},}}+)(?!\())"""


# Without a digit a value is one only in quotes and with no blank in it, behind a bare equals sign, between tags, or alone
# on its line; and it is none of the words that stand in such a place where no value does.
_NO_WORD = (
    r"(?!(?:none|null|nil|true|false|undefined|string|number|integer|boolean|object|required|optional|hidden|masked|"
    r"redacted|invalid|incorrect|missing|empty|default|changeme|include|same-origin|omit|passw(?:or)?d|passphrase|secret|"
    r"token|api[-_]?key|text|value|input|placeholder|encrypted|wrong|expired)(?![a-z0-9])"
    r"|self\.|args\.|config|settings|request|getpass|user\.|this\.|props|state\.|data\.|\xe2\x80[\xa2\xa6])"
)


def _any(name: str, least: int, value: str = "") -> str:
    """A value without a digit behind a field's name."""
    start = _NO_TEMPLATE + _NO_WORD
    quoted = rf"""["']?\s{{0,3}}[:=]\s{{0,3}}["']{start}(?P<quoted>{value or _QUOTED}{{{least},}}+)(?=["'])"""
    bare = rf"""=(?!["']){start}(?P<bare>{value or _BARE}{{{least},}}+)(?![(.])"""
    tagged = rf""">{start}(?P<tagged>{value or _BARE}{{{least},}}+)(?=</)"""
    return rf"{name}(?:{quoted}|{bare}|{tagged})"


_LINE = rf":[ \t]{{1,3}}{_NO_TEMPLATE}{_NO_WORD}(?P<secret>{_BARE}{{6,}}+)(?=[ \t]{{0,3}}(?:[\r\n]|\Z))"
_SENTENCE = r"passw|must|enter|your|requir|charact|invalid|please|reset|forgot|field|string|optional|user|the "


_KEY_NAMES = (
    "api|access|secret|private|auth|account|subscription|shared|signing|encryption|service|functions|client|admin|master|"
    "app|application|license|server|webhook|hmac|storage"
)
_TOKEN_NAMES = (
    "access|refresh|auth|id|session|security|bearer|bot|api|user|deploy|csrf|xsrf|app|client|service|account|personal|"
    "server|device|push|webhook|registration|rest|oauth|login|reset|invite|verification|publish|upload|admin"
)
_ALONE = r"(?:\A|[^a-z_-])"


GENERIC = frozenset(
    (
        "url-password",
        "bearer-token",
        "basic-credentials",
        "api-key",
        "token",
        "secret",
        "password",
        "credential",
        "session",
        "cookie",
    )
)
"""The names that say less about a secret than any other row that finds the same."""

PATTERNS: tuple[Pattern, ...] = (
    # Models and the routers in front of them.
    _row("openrouter-key", r"sk-or-[A-Za-z0-9_-]{16,}+", "sk-or-", "sk-or-" + "v1-" + _HEX8 * 8, "sk-or-v1-<your-key>"),
    _row("anthropic-key", r"sk-ant-[A-Za-z0-9_-]{16,}+", "sk-ant-", "sk-ant-" + "api03-" + _MIXED * 3, "sk-ant-api03-..."),
    _row("langfuse-key", r"(?:sk|pk)-lf-[0-9a-fA-F-]{16,}+", "sk-lf- pk-lf-",
         "sk-lf-" + "0a1b2c3d-4e5f-4a6b-8c7d-0a1b2c3d4e5f", "pk-lf-your-public-key"),
    _row("openai-key", r"sk-(?:proj|svcacct|admin|None|service)-[A-Za-z0-9_-]{16,}+",
         "sk-proj- sk-svcacct- sk-admin- sk-None- sk-service-", "sk-proj-" + _MIXED * 4, "sk-proj-YOUR_KEY"),
    _row("openai-session", r"sess-[A-Za-z0-9]{24,}+", "sess-", "sess-" + _MIXED, "sess-of-the-assembly-and-others"),
    # The short form is also DeepSeek's, Moonshot's, DashScope's, Stability's and many gateways'.
    _row("openai-key", r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]{0,63}\d)(?:[A-Za-z0-9]{2,16}-)?[A-Za-z0-9_]{20,}+[A-Za-z0-9_-]*+",
         "sk-", "sk-" + _MIXED + "T3" + "BlbkFJ" + _MIXED, "sk-learn-2024-pipelines-for-beginners"),
    _row("google-key", r"(?<![A-Za-z0-9+])AIza[A-Za-z0-9_-]{30,}+", "AIza", "AIza" + "Sy" + _MIXED + "-_9xYz", "AIzaSy-your-key"),
    _row("google-key", r"AQ\.A[A-Za-z0-9_-]{24,}+", "AQ.A", "AQ." + "Ab8RN6" + _MIXED, "FAQ.Answers"),
    _row("google-oauth", r"ya29\.[A-Za-z0-9_.-]{20,}+", "ya29.", "ya29." + "a0" + _MIXED, "ya29.example"),
    _row("google-oauth", r"(?<![A-Za-z0-9_/-])1//0[A-Za-z0-9_-]{20,}+", "1//0", "1//0" + "g" + _MIXED, "1//0 is odd"),
    _row("google-oauth-secret", r"GOCSPX-[A-Za-z0-9_-]{16,}+", "GOCSPX-", "GOCSPX-" + _MIXED, "GOCSPX-xyz"),
    _row("xai-key", r"(?<![A-Za-z0-9])xai-[A-Za-z0-9_]{24,}+", "xai-", "xai-" + _MIXED * 3, "x-ai/grok-xai-compatible-endpoint"),
    _row("groq-key", r"(?<![A-Za-z0-9])gsk_[A-Za-z0-9]{20,}+", "gsk_", "gsk_" + _MIXED * 2, "gsk_your_groq_api_key_here"),
    _row("perplexity-key", r"pplx-[A-Za-z0-9]{24,}+", "pplx-", "pplx-" + _HEX8 * 6, "pplx-70b-online-chat-and-more"),
    _row("huggingface-token", r"(?<![A-Za-z0-9_-])(?:hf|api_org)_[A-Za-z0-9]{24,}+",
         "hf_ api_org_", "hf_" + _MIXED + "aBcDeFg", "hf_hub_download_from_cache"),
    _row("replicate-token", r"(?<![A-Za-z0-9_-])r8_[A-Za-z0-9]{24,}+", "r8_", "r8_" + _MIXED + "aBcDeFgHiJ", "for8_bit_quantised_models"),
    _row("langsmith-key", r"lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}+", "lsv2_pt_ lsv2_sk_", "lsv2_" + "pt_" + _HEX8 * 4 + "_" + "0a1b2c3d4e", "lsv2_pt_key"),
    _row("langsmith-key", r"(?<![A-Za-z0-9_])ls__[A-Za-z0-9]{24,}+", "ls__", "ls__" + _HEX8 * 4, "calls__and_other_double_scores"),
    _row("fireworks-key", r"(?<![A-Za-z0-9_])fw_[A-Za-z0-9]{20,}+", "fw_", "fw_" + _MIXED, "fw_version_of_the_router"),
    _row("cerebras-key", r"(?<![A-Za-z0-9])csk-[A-Za-z0-9]{24,}+", "csk-", "csk-" + _MIXED * 2, "task-csk-compatible-interface"),
    _row("nvidia-key", r"nvapi-[A-Za-z0-9_-]{24,}+", "nvapi-", "nvapi-" + _MIXED * 2, "nvapi-your-key"),
    _row("anyscale-key", r"esecret_[A-Za-z0-9]{16,}+", "esecret_", "esecret_" + _MIXED, "esecret_of_your_account"),
    _row("together-key", r"tgp_v1_[A-Za-z0-9_-]{20,}+", "tgp_v1_", "tgp_v1_" + _MIXED, "tgp_v1_key"),
    _row("pinecone-key", r"(?<![A-Za-z0-9])pcsk_[A-Za-z0-9_]{24,}+", "pcsk_", "pcsk_" + _MIXED * 2, "pcsk_your_key"),
    _row("voyage-key", r"(?<![A-Za-z0-9_-])pa-(?=[A-Za-z_-]{0,31}\d)[A-Za-z0-9_]{24,}[A-Za-z0-9_-]*+", "pa-", "pa-" + _MIXED, "pa-per-and-pencil-for-the-exam"),
    _row("jina-key", r"jina_[A-Za-z0-9_-]{24,}+", "jina_", "jina_" + _HEX8 * 4 + _MIXED, "jina_embeddings_v3"),
    _row("tavily-key", r"tvly-[A-Za-z0-9_-]{16,}+", "tvly-", "tvly-" + "dev-" + _MIXED, "tvly-your-key"),
    _row("elevenlabs-key", r"(?<![A-Za-z0-9_])sk_[0-9a-f]{40,}+", "sk_", "sk_" + _HEX8 * 6, "sk_buff_head_init_class_table"),
    _row("voyage-key", r"(?<![A-Za-z0-9_-])al-(?=[A-Za-z_-]{0,31}\d)[A-Za-z0-9_]{32,}[A-Za-z0-9_-]*+", "al-", "al-" + _MIXED * 2, "al-gorithms-and-data-structures-2024-edition"),
    _row("cartesia-key", r"(?<![A-Za-z0-9_-])sk_car_[A-Za-z0-9]{16,}+", "sk_car_", "sk_" + "car_" + _MIXED, "sk_car_of_the_year"),
    _row("helicone-key", r"(?<![A-Za-z0-9_-])(?:sk|pk)-helicone-[a-z0-9-]{16,}+", "-helicone-", "sk-" + "helicone-a2b3c4d-e5f6g7h-a2b3c4d", "sk-helicone-key"),
    _row("arize-key", r"(?<![A-Za-z0-9_-])ak-(?=[A-Za-z_-]{0,31}\d)[A-Za-z0-9]{8,}+(?:-[A-Za-z0-9]{8,}+)+", "ak-", "ak-" + _MIXED + "-" + _MIXED, "ak-ademie-der-wissenschaften-1997"),
    _row("firecrawl-key", r"(?<![A-Za-z0-9_-])fc-[0-9a-f]{32}(?![0-9a-f])", "fc-", "fc-" + _HEX8 * 4, "rfc-2616-and-what-came-behind-it"),
    _row("brave-key", r"(?<![A-Za-z0-9_+/-])BSA(?=[A-Za-z_-]{0,31}\d)[A-Za-z0-9_-]{24,32}(?![A-Za-z0-9_+/-])", "BSA", "BSA" + _MIXED, "BSA-meetings-and-other-letters"),
    _row("e2b-key", r"(?<![A-Za-z0-9])e2b_[0-9a-f]{32,}+", "e2b_", "e2b_" + _HEX8 * 5, "e2b_sandbox_of_the_agent_with_code"),
    _row("browserbase-key", r"(?<![A-Za-z0-9])bb_(?:live|test)_[A-Za-z0-9_-]{20,}+", "bb_live_ bb_test_", "bb_" + "live_" + _MIXED, "bb_live_key"),
    _row("apify-token", r"apify_(?:api|proxy)_[A-Za-z0-9]{20,}+", "apify_api_ apify_proxy_", "apify_" + "api_" + _MIXED, "apify_api_client"),
    _row("wandb-key", r"wandb_v1_[A-Za-z0-9_-]{24,}+", "wandb_v1_", "wandb_" + "v1_" + _MIXED, "wandb_v1_key"),
    _row("posthog-key", r"(?<![A-Za-z0-9])ph[cxs]_[A-Za-z0-9]{32,}+", "phc_ phx_ phs_", "phx_" + _MIXED + "aBcDeFgHi", "phc_of_the_team_and_its_many_members"),
    # Clouds.
    _row("aws-key-id", r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}(?![A-Z0-9])",
         "AKIA ASIA ABIA ACCA AROA AIDA", "AKIA" + _UPPER, "AKIANDOTHERWORDSTHATARELONG"),
    _row("aws-bedrock-key", r"(?<![A-Za-z0-9+])ABSK[A-Za-z0-9+/]{40,}+={0,2}|bedrock-api-key-[A-Za-z0-9+/_-]{16,}+={0,2}", "ABSK bedrock-api-key-",
         "ABSK" + "QmVkcm9ja0FQSUtleS" + _MIXED * 3, "bedrock-api-key-name"),
    # Session tokens begin with a fixed header, as protocol buffers do.
    _row("aws-session-token", r"(?<![A-Za-z0-9+])(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz)[A-Za-z0-9+/]{40,}+={0,2}",
         "IQoJb3JpZ2lu FwoGZXIvYXdz FQoGZXIvYXdz", "IQoJb3JpZ2lu" + "X2Vj" + _MIXED * 4, "IQoJb3JpZ2lu is a header"),
    _row("azure-storage-key", r"accountkey=(?P<secret>[a-z0-9+/]{40,}+={0,2})", "accountkey=",
         "AccountKey=" + _MIXED * 3 + "aBcDe==", "AccountKey=<key>", Look.FOLDED),
    _row("azure-signature", r"(?:[?&;]|^|sharedaccess|\s)(?:x-(?:amz|goog)-)?sig(?:nature)?=(?P<secret>[a-z0-9%+/_-]{32,}+={0,2})", "sig= signature=",
         "?sv=2024-01-01&sig=" + "aB3%2F" + _MIXED + "%3D", "config=the-default-configuration-of-the-host", Look.FOLDED),
    _row("azure-client-secret", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{30,}+", "Q~", "aB3" + "8Q~" + _MIXED + "aBcDeFg", "FAQ~about"),
    _row("azure-key", r"(?<![A-Za-z0-9])[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}(?![A-Za-z0-9])|(?<![A-Za-z0-9])[A-Za-z0-9]{76}AzSeD[A-Za-z0-9]{3}(?![A-Za-z0-9])",
         "JQQJ99 AzSeD", "aB3d" * 13 + "JQQJ99" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ", "theJQQJ99andmore"),
    _row("digitalocean-token", r"do[opr]_v1_[0-9a-f]{32,}+", "doo_v1_ dop_v1_ dor_v1_", "dop_v1_" + _HEX8 * 8, "dop_v1_tokens_are_long"),
    _row("databricks-token", r"(?<![A-Za-z0-9])dapi[0-9a-f]{32,}+(?:-\d)?", "dapi", "dapi" + _HEX8 * 4, "sendapirequestsinparallel"),
    _row("cloudflare-origin-key", r"v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}+", "v1.0-", "v1.0-" + _HEX8 * 3 + "-" + _HEX8 * 18, "v1.0-rc1"),
    _row("vault-token", r"(?<![A-Za-z0-9_.-])hv[sbr]\.[A-Za-z0-9_-]{20,}+", "hvs. hvb. hvr.", "hvs." + _MIXED, "hvs.example"),
    _row("doppler-token", r"dp\.(?:pt|st|sa|ct|scim|audit)\.[A-Za-z0-9_.-]{24,}+", "dp.pt. dp.st. dp.sa. dp.ct. dp.scim. dp.audit.",
         "dp.pt." + _MIXED * 2, "dp.pt.name"),
    _row("tailscale-key", r"tskey-[a-z]{3,12}-[A-Za-z0-9-]{16,}+", "tskey-", "tskey-" + "auth-" + _MIXED, "tskey-auth-name"),
    _row("alibaba-key-id", r"(?<![A-Za-z0-9+/])LTAI(?=[A-Za-z]{0,19}\d)[A-Za-z0-9]{12,24}(?![A-Za-z0-9+/])", "LTAI", "LTAI" + "5tA2b3C4d5E6f7G8", "LTAIandmoreoftheletters"),
    _row("tencent-key-id", r"(?<![A-Za-z0-9+/])AKID(?=[A-Za-z]{0,31}\d)[A-Za-z0-9]{32}(?![A-Za-z0-9+/])", "AKID", "AKID" + "a1B2c3D4" * 4, "AKIDandmoreoftheletters"),
    _row("yandex-key", r"(?<![A-Za-z0-9+/])AQVN[A-Za-z0-9_-]{32,}+|(?<![A-Za-z0-9])y0_[A-Za-z0-9_-]{32,}+", "AQVN y0_", "AQVN" + _MIXED + "aBcDeFgH", "y0_of_the_axis"),
    _row("terraform-token", r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}+", ".atlasv1.", "aB3dE6gH9jK2mN." + "atlasv1." + _MIXED * 2, "a.atlasv1.b"),
    _row("pulumi-token", r"(?<![A-Za-z0-9])pul-[0-9a-f]{40}", "pul-", "pul-" + _HEX8 * 5, "pul-monary-function-tests"),
    _row("planetscale-token", r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{24,}+", "pscale_", "pscale_" + "tkn_" + _MIXED, "pscale_tkn_name"),
    _row("fly-token", r"(?<![A-Za-z0-9])fm[12][ar]?_[A-Za-z0-9+/=,_-]{40,}+|(?<![A-Za-z0-9])fo1_[A-Za-z0-9_-]{32,}+", "fm1_ fm2_ fm1a_ fm1r_ fo1_", "fm2_" + _MIXED * 2, "fm2_radio"),
    _row("render-key", r"(?<![A-Za-z0-9])rnd_[A-Za-z0-9]{24,}+", "rnd_", "rnd_" + _MIXED, "rnd_numbers_of_the_generator"),
    _row("netlify-token", r"(?<![A-Za-z0-9])nf[pcou]_[A-Za-z0-9]{32,}+", "nfp_ nfc_ nfo_ nfu_", "nfp_" + _MIXED + "aBcDeFgHi", "nfc_readers_and_writers_of_the_tags"),
    _row("neon-key", r"(?<![A-Za-z0-9])napi_[A-Za-z0-9]{32,}+", "napi_", "napi_" + _MIXED * 2, "napi_module_register_and_others"),
    _row("onepassword-token", r"ops_eyJ[A-Za-z0-9+/_-]{40,}+={0,2}", "ops_eyJ", "ops_" + "eyJ" + _MIXED * 3, "ops_eyJ"),
    _row("firebase-key", r"(?<![A-Za-z0-9_-])AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{60,}+", ":APA91b", "AAAAaB3dE6g" + ":APA91b" + _MIXED * 3, "x:APA91b", Look.TEXT),
    # Code, packages, builds.
    _row("github-token", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9_]{20,}+|github_pat_[A-Za-z0-9_]{22,}+", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
         "ghp_" + _MIXED + "aBcDeFgHi", "ghp_tokens are old"),
    _row("gitlab-token", r"(?:glpat|gldt|glrt|glptt|glcbt|glsoat|glimt|glagent|glft|gloas|glffct)-[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9._-]+)?",
         "glpat- gldt- glrt- glptt- glcbt- glsoat- glimt- glagent- glft- gloas- glffct-", "glpat-" + "aB3dE6gH9jK2mN5pQ8sT", "glpat-your-token"),
    _row("npm-token", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{32,}+", "npm_", "npm_" + _MIXED + "aBcDeFgHi", "npm_config_registry_and_more_of_it"),
    _row("pypi-token", r"pypi-[A-Za-z0-9_-]{40,}+", "pypi-", "pypi-" + "AgEIcHlwaS5vcmc" + _MIXED * 2, "pypi-server-for-the-team"),
    _row("docker-token", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}+", "dckr_pat_ dckr_oat_", "dckr_pat_" + _MIXED, "dckr_pat_name"),
    _row("atlassian-token", r"(?<![A-Za-z0-9+])(?:ATATT3|ATCTT3|ATBB|ATOA|ATSTT3)[A-Za-z0-9_-]{24,}+(?:=[A-F0-9]{8})?",
         "ATATT3 ATCTT3 ATBB ATOA ATSTT3", "ATATT3" + "xFfGF0" + _MIXED * 3, "ATATT3 begins one"),
    _row("linear-key", r"lin_(?:api|oauth)_[A-Za-z0-9]{24,}+", "lin_api_ lin_oauth_", "lin_api_" + _MIXED + "aBcDe", "lin_api_of_the_team"),
    _row("notion-token", r"(?<![A-Za-z0-9])(?:ntn_|secret_)[A-Za-z0-9]{32,}+", "ntn_ secret_", "ntn_" + _MIXED + "aBcDeFgH", "secret_of_the_island_and_its_people"),
    _row("figma-token", r"(?<![A-Za-z0-9])fig[dur]_[A-Za-z0-9_-]{24,}+", "figd_ figu_ figr_", "figd_" + _MIXED + "aBcDe", "figd_name"),
    _row("postman-key", r"PMAK-[A-Za-z0-9-]{32,}+", "PMAK-", "PMAK-" + _HEX8 * 3 + "-" + _HEX8 * 4, "PMAK-your-key"),
    _row("vercel-token", r"(?<![A-Za-z0-9])vc[pkiar]_[A-Za-z0-9]{24,}+", "vcp_ vck_ vci_ vca_ vcr_", "vcp_" + _MIXED * 2, "vcr_cassette_of_the_session"),
    _row("supabase-key", r"(?<![A-Za-z0-9])sb(?:p|_secret|_publishable)_[A-Za-z0-9_]{20,}+", "sbp_ sb_secret_ sb_publishable_", "sbp_" + _HEX8 * 5, "sbp_name"),
    _row("grafana-token", r"(?<![A-Za-z0-9])gl(?:sa|c)_[A-Za-z0-9+/_]{24,}+={0,2}", "glsa_ glc_", "glsa_" + _MIXED + "aBcDe_" + _HEX8, "glc_name"),
    _row("sentry-token", r"sntry[su]_[A-Za-z0-9+/_=-]{32,}+", "sntrys_ sntryu_", "sntryu_" + _HEX8 * 8, "sntryu_name"),
    _row("newrelic-key", r"NRAK-[A-Z0-9]{20,}+|NRJS-[a-f0-9]{16,}+|NRII-[A-Za-z0-9_-]{20,}+", "NRAK- NRJS- NRII-", "NRAK-" + _UPPER + "A2B3C4D5E6F", "NRAK-YOUR-KEY"),
    _row("rubygems-key", r"rubygems_[0-9a-f]{40,}+", "rubygems_", "rubygems_" + _HEX8 * 6, "rubygems_mirror"),
    _row("crates-token", r"(?<![A-Za-z0-9_-])cio(?=[A-Za-z]{0,31}\d)[A-Za-z0-9]{32}(?![A-Za-z0-9_-])", "cio", "cio" + "aB3d" * 8, "preciousandothers"),
    _row("circleci-token", r"CCI(?:PAT|PRJ)_[A-Za-z0-9]{16,}+_[0-9a-f]{32,}+", "CCIPAT_ CCIPRJ_", "CCIPAT_" + _MIXED + "_" + _HEX8 * 5, "CCIPAT_name"),
    _row("buildkite-token", r"(?<![A-Za-z0-9])bk(?:ua|ct|pt|at)_[0-9a-f]{40}", "bkua_ bkct_ bkpt_ bkat_", "bkua_" + _HEX8 * 5, "bkua_name"),
    _row("clojars-token", r"CLOJARS_[0-9a-f]{40,}+", "CLOJARS_", "CLOJARS_" + _HEX8 * 7, "CLOJARS_USERNAME"),
    _row("sonar-token", r"(?<![A-Za-z0-9])sq[uap]_[0-9a-f]{40}", "squ_ sqa_ sqp_", "sqp_" + _HEX8 * 5, "sqp_solvers"),
    _row("prefect-key", r"(?<![A-Za-z0-9])pn[ub]_[A-Za-z0-9]{32,}+", "pnu_ pnb_", "pnu_" + _MIXED + "aBcDeFgHi", "pnu_matics_of_the_hydraulic_kind_too"),
    _row("readme-key", r"rdme_[a-z0-9A-Z]{40,}+", "rdme_", "rdme_" + _MIXED * 3, "rdme_file"),
    _row("contentful-token", r"(?<![A-Za-z0-9])CFPAT-[A-Za-z0-9_-]{32,}+", "CFPAT-", "CFPAT-" + _MIXED * 2, "CFPAT-name"),
    _row("typeform-token", r"(?<![A-Za-z0-9])tfp_[A-Za-z0-9_=.-]{40,}+", "tfp_", "tfp_" + _MIXED * 2, "tfp_name"),
    _row("launchdarkly-key", r"(?<![A-Za-z0-9-])(?:sdk|mob|api)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "sdk- mob- api-",
         "sdk-" + _HEX8 + "-4e5f-4a6b-8c7d-0a1b2c3d4e5f", "sdk-for-the-many-languages"),
    _row("hubspot-token", r"(?<![A-Za-z0-9-])pat-[a-z]{2}\d-[0-9a-f]{8}-[0-9a-f-]{20,}+", "pat-", "pat-" + "na1-" + _HEX8 + "-4e5f-4a6b-8c7d-0a1b2c3d4e5f", "pat-terns-of-behaviour"),
    _row("dropbox-token", r"(?<![A-Za-z0-9_.-])sl\.(?:u\.)?[A-Za-z0-9_-]{100,}+", "sl.", "sl." + _MIXED * 5, "ssl.create_default_context"),
    _row("password-hash", r"\$(?:2[abxy]\$\d\d|apr1|[156]|argon2(?:id?|d)\$v=\d{1,3}\$m=[\d,a-z=]{1,40}|y\$[./A-Za-z0-9]{1,8})\$[./A-Za-z0-9+$]{20,}+", "$2 $apr1$ $1$ $5$ $6$ $argon2 $y$",
         "$2b$12$" + _MIXED * 2, "$2 a month for each of them", Look.TEXT),
    # Messages and payments.
    _row("slack-token", r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{16,}+|xapp-\d-[A-Za-z0-9-]{16,}+|xoxe\.xox[bp]-[A-Za-z0-9-]{16,}+",
         "xox xapp-", "xoxb" + "-1234567890-1234567890123-" + _MIXED, "xoxb-token"),
    _row("slack-webhook", r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9+/]{20,}+)", "hooks.slack.com/",
         "https://hooks.slack.com/services/" + "T0A1B2C3D/B0A1B2C3D/" + _MIXED, "https://hooks.slack.com/services/"),
    _row("discord-webhook", r"discord(?:app)?\.com/api/webhooks/(?P<secret>\d{15,20}/[A-Za-z0-9_-]{40,}+)", "/api/webhooks/",
         "https://discord.com/api/webhooks/" + "123456789012345678/" + _MIXED * 3, "https://discord.com/api/webhooks/ID"),
    _row("discord-token", r"(?<![A-Za-z0-9_.-])[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}+", "MT Mj Mz ND NT Nj Nz OD OT",
         "MTk4NjIyNDgzNDcxOTI1MjQ4" + "." + "Cl2FMQ" + "." + _MIXED, "Many.things.end.with.a.point"),
    _row("telegram-token", r"(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{32,}+", ":AA", "1234567890" + ":AA" + _MIXED + "aBcDeF", "12:AAA", Look.TEXT),
    _row("stripe-key", r"(?:sk|rk|pk)_(?:live|test|org)_[A-Za-z0-9]{16,}+|whsec_[A-Za-z0-9+/]{20,}+={0,2}",
         "sk_live_ rk_live_ pk_live_ sk_test_ rk_test_ pk_test_ sk_org_ whsec_", "sk_" + "live_" + _MIXED, "sk_test_your_key"),
    _row("square-token", r"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{20,}+|(?<![A-Za-z0-9+])EAAA[lE][A-Za-z0-9_-]{56,}+", "sq0atp- sq0csp- sq0idp- EAAAl EAAAE",
         "sq0atp-" + _MIXED, "sq0atp-name"),
    _row("shopify-token", r"shp(?:at|ca|pa|ss|ua|tka)_[A-Fa-f0-9]{24,}+", "shpat_ shpca_ shppa_ shpss_ shpua_ shptka_", "shpat_" + _HEX8 * 4, "shpat_name"),
    _row("twilio-key", r"(?<![A-Z0-9])(?:SK|AC)[0-9a-f]{32}(?![0-9a-f])", "SK AC", "SK" + _HEX8 * 4, "SKUs_and_their_number_in_stock"),
    _row("sendgrid-key", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+", "SG.", "SG." + _MIXED + "." + _MIXED, "MSG.length"),
    _row("mailgun-key", r"(?<![A-Za-z0-9])(?:key|pubkey)-[0-9a-f]{32}", "key-", "key-" + _HEX8 * 4, "key-value-stores-and-others"),
    _row("mailchimp-key", r"(?<![A-Za-z0-9])[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])", "-us", _HEX8 * 4 + "-us12", "bedrock-runtime-us-east-1"),
    _row("airtable-token", r"(?<![A-Za-z0-9])pat[A-Za-z0-9]{14}\.[0-9a-f]{64}", "pat", "patA1b2C3d4E5f6G7." + _HEX8 * 8, "path.of"),
    _row("facebook-token", r"(?<![A-Za-z0-9+])EAA[A-Z][A-Za-z0-9]{60,}+", "EAA", "EAAC" + _MIXED * 4, "EAAGLE"),
    _row("resend-key", r"(?<![A-Za-z0-9])re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}+", "re_", "re_" + "aB3dE6gH_" + _MIXED, "re_index_the_tables_of_the_database"),
    _row("plaid-token", r"(?<![A-Za-z0-9-])(?:access|public|link)-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f-]{20,}+", "-sandbox- -development- -production-",
         "access-" + "sandbox-" + _HEX8 + "-4e5f-4a6b-8c7d-0a1b2c3d4e5f", "access-sandbox-for-the-team"),
    _row("duffel-token", r"duffel_(?:live|test)_[A-Za-z0-9_-]{24,}+", "duffel_live_ duffel_test_", "duffel_" + "live_" + _MIXED, "duffel_test_key"),
    _row("easypost-key", r"(?<![A-Za-z0-9])EZ[AT]K[A-Za-z0-9]{40,}+", "EZAK EZTK", "EZAK" + _MIXED * 2, "EZAKandmore"),
    _row("flutterwave-key", r"FLW(?:SECK|PUBK)(?:_TEST)?-[0-9a-f]{12,}+", "FLWSECK FLWPUBK", "FLWSECK-" + _HEX8 * 4 + "-X", "FLWSECK_TEST-key"),
    _row("frameio-token", r"(?<![A-Za-z0-9-])fio-u-[A-Za-z0-9_-]{40,}+", "fio-u-", "fio-u-" + _MIXED * 3, "fio-u-name"),
    _row("heroku-key", r"HRKU-[A-Za-z0-9_-]{30,}+", "HRKU-", "HRKU-" + "AA" + _MIXED * 2, "HRKU-name"),
    _row("age-key", r"AGE-SECRET-KEY-1[0-9A-Z]{50,}+", "AGE-SECRET-KEY-1", "AGE-SECRET-" + "KEY-1" + _UPPER * 4, "AGE-SECRET-KEY-1..."),
    # Shapes without an issuer.
    _row("jwt", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{12,}+\.(?:eyJ|[A-Za-z0-9_-]{16})[A-Za-z0-9_-]*+(?:\.[A-Za-z0-9_-]*+){0,3}", "eyJ",
         "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0." + _MIXED, "eyJhbGciOiJIUzI1NiJ9 is the header"),
    _row("private-key", r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----\s*+(?:[A-Za-z-]{1,40}:[^\n]{0,200}\n\s*+){0,4}"
         r"[A-Za-z0-9+/=]{16}[A-Za-z0-9+/=\s]*+(?:-----END[A-Z0-9 ]{0,40}-----)?", "-----BEGIN",
         "-----BEGIN RSA PRIVATE " + "KEY-----\n" + _MIXED * 4 + "\n" + _MIXED * 2 + "==\n-----END RSA PRIVATE " + "KEY-----",
         "-----BEGIN PUBLIC KEY-----\n" + _MIXED, Look.TEXT),
    _row("private-key", r"Private-Lines:\s?\d{1,4}\s{1,4}(?P<secret>[A-Za-z0-9+/=\s]{16,}+)", "Private-Lines:",
         "PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\n" + _MIXED, "Private-Lines: none", Look.TEXT),
    _row("url-password", r"://[^\s/:@\"'<>\\\0?#\[]{0,128}:(?P<secret>[^\s/@\"'<>\\\0?#\[$%{][^\s/@\"'<>\\\0?#]{2,256}+)@", "://",
         "postgres://app:" + "hunter22" + "@db.example/app", "http://localhost:8080/user@example", Look.TEXT),
    _row("url-password", r"://(?=[a-z_-]{0,127}\d)(?P<secret>[a-z0-9_-]{20,}+)@", "://", "https://" + _MIXED + "@github.com/x.git", "https://example.com/a@b", Look.FOLDED),
    _row("bearer-token", r"(?<![a-z])bearer\s{1,3}(?=[a-z_.~+/=-]{0,127}\d|[a-z]{24})(?P<secret>[a-z0-9_.~+/=-]{16,}+)", "bearer",
         "Authorization: Bearer " + _MIXED, "the bearer of bad-news-and-other-letters", Look.FOLDED),
    _row("basic-credentials", r"(?<![a-z])basic\s(?=[a-z+/=]{0,127}\d)(?P<secret>[a-z0-9+/]{12,}+={0,2})(?![a-z0-9_.-])", "basic ",
         "Authorization: Basic " + "dXNlcjpodW50ZXIyMg==", "basic understanding", Look.FOLDED),
    # Fields with a credential's name, in JSON, YAML, shells, headers, XML and forms.
    _row("api-key", _field(r"key(?:[-_.]?(?:id|base))?", 8), "key", '{"mistral_api_key": "' + _MIXED + '"}', '"api_key": "your-key-no-1"',
         Look.FOLDED, rf"(?:{_KEY_NAMES})[-_. ]?"),
    _row("api-key", _field("key", 24, r"(?=[a-z0-9_]{24})"), "key", "key=" + _MIXED, '"key": "2024-01-01"', Look.FOLDED, _ALONE),
    _row("api-key", _field("key", 20, r"(?=[a-z0-9]{20})"), "key", "HOUSE_KEY=" + _MIXED, "cache_key=user-profile-1-page-2-of-3", Look.FOLDED, "_"),
    _row("token", _field("token", 8), "token", "SLACK_BOT_TOKEN=" + "abc123def456", '"completion_tokens": 12345678',
         Look.FOLDED, rf"(?:{_TOKEN_NAMES})[-_. ]?"),
    _row("token", _field("token", 16), "token", '"token": "' + _MIXED + '"', '"token": " information"', Look.FOLDED, _ALONE),
    _row("token", _field("token", 20), "token", 'GITEA_TOKEN="' + _MIXED + '"', '"next_page_token": "page2"', Look.FOLDED, "[a-z0-9][_-]"),
    _row("api-key", _any("key", 16, "[a-z]"), "key", '"api_key": "' + 'abcdefghijklmnopqrst"', '"api_key": "required"', Look.FOLDED, rf"(?:{_KEY_NAMES})[-_. ]?"),
    _row("token", _any("token", 16, "[a-z]"), "token", '"access_token":"' + 'abcdefghijklmnopqrst"', '"token": "information"', Look.FOLDED),
    _row("secret", _any("secret", 8, "[a-z]"), "secret", '"client_secret":"' + 'abcdefghijklmnop"', '"secret": "required"', Look.FOLDED, r"[-_.][a-z]{0,8}|client|[\"'\s;&?,]"),
    # Words that go before a value in a sentence, on a command line, in an error message.
    _row("api-key", r"api[-_ ]?keys?(?: provided| is| was|:){1,2} {1,2}(?=[a-z_-]{0,127}\d)(?P<secret>[a-z0-9_-]{20,}+)", "key",
         "Incorrect API key provided: " + _MIXED, "your API key is invalid", Look.FOLDED),
    _row("api-key", r"(?:key|token|secret)[ =](?=[\"']?[a-z_.-]{0,127}\d)(?P<secret>[^\s\"'\\<>$(){}\[\]`]{16,}+)", "key token secret",
         "--api-key " + _MIXED, "--token-limit 4096", Look.FOLDED, r"--[a-z-]{0,20}"),
    _row("password", r"passw(?:or)?d[ =](?=[\"']?[^\s\d]{0,64}\d)(?P<secret>[^\s\"'\\<>$(){}\[\]`-][^\s\"'\\<>$(){}\[\]`]{5,}+)", "passw",
         "mysql --password " + "hunter22", "--password PROMPT", Look.FOLDED, r"--[a-z-]{0,20}"),
    _row("password", r"(?<![a-z])passw(?:or)?d(?: is|:)? (?=[a-z]{0,31}\d)(?P<secret>[a-z0-9!@#%^*_+-]{8,}+)(?![a-z0-9.])", "passw",
         "the password is " + "hunter22x", "the password 8 characters", Look.FOLDED),
    _row("password", r"\s(?:-u|--user) [\"']?[a-z0-9._@-]{1,64}:(?=\d{0,16}[a-z])(?P<secret>[^\s\"'\\<>$(){}\[\]`:]{6,}+)", "-u --user",
         "curl -u app:" + "hunter22 https://h.example", "docker run -u 1000:1000 image", Look.FOLDED),
    _row("secret", _field(r"secret(?:[-_.]?value)?", 8), "secret", "CLIENT_SECRET=" + "a1b2c3d4e5", '"secret": "of-the-island"', Look.FOLDED),
    _row("password", _field("passw(?:or)?d", 6), "passw", "db_password: " + "hunter22", '"password": {"type": "string"}', Look.FOLDED),
    _row("password", _field("pwd", 6), "pwd", "Server=db;Uid=app;Pwd=" + "hunter22;", "pwd: /home", Look.FOLDED),
    _row("password", _field("pass", 6, reach=24), "pass", "DB_PASS=" + "hunter22", '"pass": "all 12 tests"', Look.FOLDED, r"[^a-z]"),
    _row("password", _any("(?:passw(?:or)?d|passphrase|pwd)", 6), "passw passphrase pwd", '"password": "' + 'onlyletters"', '"password": "string"', Look.FOLDED),
    _row("password", rf"passw(?:or)?d{_LINE}", "passw", "user: app\npassword: " + "swordfishes\n", "password: required\n", Look.FOLDED, r"(?:\A|\n)[ \t-]*[a-z_.-]{0,20}"),
    _row("password", rf"""(?:passw(?:or)?d|passphrase)["']\s{{0,3}}[:=]\s{{0,3}}["'](?![^"'\\\x00-\x1f]{{0,128}}(?:{_SENTENCE}))(?P<secret>[^"'\\\x00-\x1f]{{8,128}}+)(?=["'])""", "passw passphrase",
         '"password": "' + 'correct horse battery staple"', '"password": "Must have 8 characters"', Look.FOLDED),
    _row("password", _field("passphrase", 6), "passphrase", '"passphrase": "' + 'hunter22"', '"passphrase": ""', Look.FOLDED),
    _row("password", _field("passcode", 6), "passcode", "passcode=" + "hunter22", "passcode=<code>", Look.FOLDED),
    _row("credential", _field("credentials?", 12), "credential", '"credential": "' + _MIXED + '"', '"credentials": "include"', Look.FOLDED),
    _row("credential", _field("authorization", 12), "authorization", "X-Amz-Authorization: " + _MIXED, '"authorization": "required-by-law"', Look.FOLDED),
    _row("credential", r"""["']auth["']\s{0,3}:\s{0,3}["'](?P<secret>[a-z0-9+/]{12,}+={0,2})(?=["'])""", "auth", '{"auth": "' + 'dXNlcjpodW50ZXIyMg=="}', '"auth": "none"', Look.FOLDED),
    _row("cookie", r"""cookie["']?\s{0,3}[:=,]\s{0,3}["']?[^\s=;,"'\\\x00-\x1f]{1,64}=(?=[a-z_.%-]{0,127}\d)(?P<secret>[^\s;,"'\\\x00-\x1f]{16,}+)""", "cookie",
         "Set-Cookie: sid=" + _MIXED + "; Path=/", "cookie: theme=dark", Look.FOLDED),
    _row("session", r"(?<![a-z])(?:phpsessid|jsessionid|asp\.net_sessionid|connect\.sid|laravel_session|_session)=(?P<secret>[a-z0-9%._-]{16,}+)", "sessid= sessionid= connect.sid= _session=",
         "PHPSESSID=" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ", "_session=short", Look.FOLDED),
    _row("credential", _field("_auth", 12), "_auth", "//registry/:_auth=" + _MIXED, "needs_auth=true", Look.FOLDED),
    _row("session", _field("session_?id", 16), "session", "sessionid=" + _MIXED, "session_id: 12", Look.FOLDED),
)  # fmt: skip
