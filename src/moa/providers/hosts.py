"""The hosts moa knows: address, wire, key and quirks, as data. A new compatible host is one line here.

Nothing here reads the environment by itself: it is passed in. A key is bound to its host; who changes the address by
`*_BASE_URL` (or `*_API_BASE`) sends the key there knowingly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from moa.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Host:
    """Where to send requests, on which wire ("chat", "responses", "anthropic", "gemini" or "embeddings"), with which key, and
    how this host differs from the rest.

    `key_env` and `base_url_env` name variables in the order they are tried. `max_tokens` and `seed` are the names of those
    fields here. `stream_usage`: whether `stream_options` may be sent. `keep_alive`: whether a connection is kept for the next
    request. `short_ids`: whether ids of tool calls are nine letters and digits. `extra` is sent with every request. `schema`:
    a further field in which this host wants the JSON Schema of an answer.
    """

    name: str
    base_url: str
    key_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    wire: str = "chat"
    local: bool = False
    max_tokens: str = "max_tokens"
    seed: str = "seed"
    stream_usage: bool = True
    keep_alive: bool = True
    short_ids: bool = False
    schema: str = ""
    extra: tuple[tuple[str, object], ...] = ()


def _remote(name: str, base_url: str, **quirks: object) -> Host:
    prefix = name.upper()
    host = Host(name, base_url, (f"{prefix}_API_KEY",), (f"{prefix}_BASE_URL", f"{prefix}_API_BASE"))
    return replace(host, **quirks)  # type: ignore[arg-type]  # the names are those of Host's fields; a wrong one raises on import


def _local(name: str, port: int, **quirks: object) -> Host:
    return _remote(name, f"http://127.0.0.1:{port}/v1", local=True, **quirks)


_ALL = (
    _remote("openai", "https://api.openai.com/v1", max_tokens="max_completion_tokens"),
    _remote(
        "openai-responses",
        "https://api.openai.com/v1",
        wire="responses",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    ),
    _remote(
        "openai-embeddings",
        "https://api.openai.com/v1",
        wire="embeddings",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    ),
    _remote("anthropic", "https://api.anthropic.com/v1", wire="anthropic"),
    _remote(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        wire="gemini",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        base_url_env=("GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"),
    ),
    _remote("together", "https://api.together.xyz/v1"),
    _remote("groq", "https://api.groq.com/openai/v1", max_tokens="max_completion_tokens"),
    # asks for `usage.cost`, which it leaves out otherwise
    _remote("openrouter", "https://openrouter.ai/api/v1", extra=(("usage", {"include": True}),)),
    # refuses fields it does not know; sends usage in the last chunk unasked
    _remote("mistral", "https://api.mistral.ai/v1", seed="random_seed", stream_usage=False, short_ids=True),
    _remote("deepseek", "https://api.deepseek.com/v1"),
    _remote("xai", "https://api.x.ai/v1"),
    _remote("fireworks", "https://api.fireworks.ai/inference/v1"),
    _remote("cerebras", "https://api.cerebras.ai/v1", max_tokens="max_completion_tokens"),
    _remote("sambanova", "https://api.sambanova.ai/v1"),
    _remote("nebius", "https://api.studio.nebius.com/v1"),
    _remote("moonshot", "https://api.moonshot.ai/v1"),
    _remote("zai", "https://api.z.ai/api/paas/v4"),
    _remote("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    _remote("huggingface", "https://router.huggingface.co/v1", key_env=("HF_TOKEN", "HUGGINGFACE_API_KEY")),
    _remote("cohere", "https://api.cohere.ai/compatibility/v1"),
    _remote("deepinfra", "https://api.deepinfra.com/v1/openai"),
    _local("ollama", 11434, base_url_env=("OLLAMA_BASE_URL", "OLLAMA_API_BASE", "OLLAMA_HOST")),
    _local("vllm", 8000),
    _local("lmstudio", 1234, key_env=("LMSTUDIO_API_KEY", "LM_STUDIO_API_KEY")),
    # its few threads each wait 5 s at a kept connection, while other requests stand in line; its Responses know no text.format
    _local("llamacpp", 8080, keep_alive=False, schema="json_schema", key_env=("LLAMACPP_API_KEY", "LLAMA_API_KEY")),
)

HOSTS: Mapping[str, Host] = MappingProxyType({host.name: host for host in _ALL})
"""Every host known by name."""


def located(host: Host, environ: Mapping[str, str]) -> Host:
    """`host` with the address the environment names, where it names one.

    Raises:
        ConfigError: that address is no http(s) URL.
    """
    for name in host.base_url_env:
        if address := environ.get(name, "").strip():
            if name == "OLLAMA_HOST":
                address = _ollama(address)
            return replace(host, base_url=checked(address, name))
    return host


def key_of(host: Host, environ: Mapping[str, str]) -> str | None:
    """The host's key from the environment, or None."""
    return next((key for name in host.key_env if (key := environ.get(name, "").strip())), None)


def custom(name: str, base_url: str, key_env: str | None = None, wire: str = "chat", like: Host | None = None) -> Host:
    """A host at `base_url` (up to and without `/chat/completions`, `/embeddings` …), with the quirks of `like`.

    Raises:
        ConfigError: `base_url` is no http(s) URL.
    """
    base_url = checked(base_url, name)
    near = urlsplit(base_url).hostname in ("127.0.0.1", "::1", "localhost")
    host = Host(name, base_url, (key_env,) if key_env else (), wire=wire, local=near)
    if like is None:
        return host
    return replace(like, base_url=base_url, key_env=host.key_env, wire=wire, local=near)


_PATHS = ("/chat/completions", "/responses", "/messages", "/embeddings")


def checked(address: str, where: str) -> str:
    """`address` without a slash at its end.

    Raises:
        ConfigError: it is no http(s) URL, or holds a name and password, a query or a fragment.
    """
    try:
        url = urlsplit(address)
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{where}: {address!r} is no http:// or https:// address")
    if url.username or url.password or url.query or url.fragment:
        raise ConfigError(
            f"{where}: the address must hold no password, query or fragment; put the key in an environment variable"
        )
    address = address.rstrip("/")
    return next((address.removesuffix(path) for path in _PATHS if address.endswith(path)), address)


def _ollama(address: str) -> str:
    """Ollama's own spelling, which is the server's bind address (`0.0.0.0`, `host:port`), as a URL to call."""
    if "://" not in address:
        address = f"http://{address}"
    try:
        url = urlsplit(address)
        name, port = url.hostname or "127.0.0.1", url.port or (443 if url.scheme == "https" else 11434)
    except ValueError:
        return address  # checked() will say what is wrong with it
    if name in ("0.0.0.0", "::"):
        name = "127.0.0.1"
    if ":" in name:
        name = f"[{name}]"
    return f"{url.scheme}://{name}:{port}{url.path.rstrip('/').removesuffix('/v1')}/v1"
