"""Addresses in a text: what a reader's screen would load by itself, and where a click would lead. Each pattern takes time in
proportion to the text, whatever it is: hostile ones are looked at while others wait."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote, urlsplit

_END = r"[^\s<>\"')\]]"
_OPENED = r"(?<=[(<\"'=\[])"
_HOST = r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}+"
_URL = re.compile(
    r"(?<![a-z0-9])(?:"
    rf"https?(?::|%3a)(?:[/\\]++|%2f|(?=[\w-]{{1,63}}+\.\w)){_END}+"
    rf"|(?:ftps?|sftp|wss?|git|ssh|smb|nfs|ldaps?|gopher|telnet|rtsp|file)(?::|%3a)(?:[/\\]{{2}}|%2f%2f){_END}+"
    rf"|(?:javascript|vbscript)(?::|%3a){_END}+|blob:http{_END}+"
    rf"|data:(?:application|audio|font|image|message|model|multipart|text|video)/[\w.+-]{{1,60}}+[;,]{_END}*"
    rf"|{_OPENED}data:(?:;[\w=-]{{1,30}}+)?,{_END}*"
    rf"|mailto:[^\s<>\"')\]?]{{1,320}}+\?{_END}+"
    rf"|(?<![\w.@/-])www\.{_HOST}{_END}*"
    rf"|{_OPENED}//{_HOST}{_END}*|(?<![\w:/])//{_HOST}(?=[/?#:]){_END}*"
    rf"|(?<!\\)\\{{2,4}}{_HOST}(?:@\w{{1,9}}){{0,2}}\\{_END}*"
    r")",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"!\[([^\[\]]{0,500}+)\]\(\s*+<?([^()\s<>]{1,4000}+)(?:[^()\[\]\n]{0,500}+\))?")
_LINK = re.compile(r"(?<=\]\(|\]:)(\s*+<?)([^()\s<>]{1,4000}+)")
_TAG = re.compile(r"<([a-z][\w:-]{0,30}+)((?:[^<>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')|=)*+)>?", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(?<![\w:-])([a-z:-]{1,30}+)\s*+=\s*+(\"[^\"]*\"|'[^']*'|[^\s\"']+)", re.IGNORECASE)
_LOADS = (
    "src", "srcset", "data", "poster", "action", "formaction", "background", "ping", "style", "content", "xlink:href", "href",
)  # fmt: skip
NESTED = 3
"""Pages inside pages that are looked at; what is deeper goes."""
_NO_HANDLER = re.compile(r"\{(?:[\w.]{1,80}\}(?=\s|/?$)|\(?[\w, ]{0,80}\)?\s{0,9}=?$)")
"""What JSX writes behind a handler's name; a browser runs none of it."""


def hosts_in(text: str) -> frozenset[str]:
    """The hosts of the addresses in a text."""
    return frozenset(filter(None, (host_of(match[0]) for match in _URL.finditer(text))))


def host_of(address: str) -> str:
    """The host of an address, in small letters; empty where it has none, or readers of it may not agree which."""
    found = {_host(address), _host(unquote(address))}
    return found.pop() if len(found) == 1 else ""


def _host(address: str) -> str:
    slashed = re.sub(r"(?i)^([a-z]{1,10})(?::|%3a)((?:[/\\]|%2f)*+)", r"\1://", address).replace("\\", "/")
    if slashed[:9].lower() == "mailto://":
        return slashed[9:].partition("?")[0].rpartition("@")[2].lower()
    scheme = re.match(r"(?!data:|blob:|file:|javascript:|vbscript:)[a-z]{1,10}:", slashed, re.IGNORECASE)
    rest = slashed[scheme.end() :] if scheme else slashed
    if not scheme and not re.match(r"//|www\.", rest, re.IGNORECASE):
        return ""
    try:
        return (urlsplit("//" + rest.lstrip("/")).hostname or "").lower()
    except ValueError:
        return ""


def without_loading(text: str, known: frozenset[str]) -> str:
    """The text without images and tags that load from a host that is not known, or run something. What is on no host stays."""

    def image(match: re.Match[str]) -> str:
        return match[1] if _foreign(match[2], known) else match[0]

    def link(match: re.Match[str]) -> str:
        plain = unescape(match[2])
        return match[1] + plain if plain != match[2] and _foreign(plain, known) else match[0]

    def tag(match: re.Match[str]) -> str:
        return "" if "=" in match[2] and _active(match[1].lower(), match[2], known) else match[0]

    return _TAG.sub(tag, _LINK.sub(link, _IMAGE.sub(image, text)))


def without_addresses(text: str, known: frozenset[str]) -> str:
    """The text without addresses on hosts that are not known."""
    return _URL.sub(lambda match: match[0] if host_of(match[0]) in known else _told(match[0]), text)


def _page(page: str, known: frozenset[str], deep: int) -> bool:
    """Whether a page inside an attribute does what a tag may not; one inside another, and another …, is not looked at."""
    plain = without_addresses(page, known) == page
    return not plain or any(
        "=" in match[2] and (deep >= NESTED or _active(match[1].lower(), match[2], known, deep + 1))
        for match in _TAG.finditer(page)
    )


def _active(tag: str, body: str, known: frozenset[str], deep: int = 0) -> bool:
    """Whether a tag loads from a host that is not known, or has a handler."""
    for match in _ATTRIBUTE.finditer(body):
        name, value = match[1].lower(), unescape(match[2].strip("\"'`"))
        if (
            name.startswith("on")
            and len(name) > 4
            and not _NO_HANDLER.match(body[match.start(2) : match.start(2) + 100])
        ):
            return True
        if name == "srcdoc" and _page(value, known, deep):
            return True
        if name not in _LOADS or (name == "href" and tag in ("a", "area") and value == match[2].strip("\"'")):
            continue
        if any(_foreign(part, known, bare=tag == "base") for part in (value, *re.split(r"[\s,;()'\"=]+", value))):
            return True
    return False


def _foreign(address: str, known: frozenset[str], *, bare: bool = False) -> bool:
    """Whether what stands where an address is expected leads to a host that is not known. `bare`: a host's name alone does, too."""
    address = re.sub(r"[\t\r\n]+", "", unescape(address)).strip()
    if re.match(r"(?:data|javascript|vbscript|blob|file)(?::|%3a)", address, re.IGNORECASE):
        return True
    if _URL.match(address) or re.match(r"[/\\]{2}", address):
        return host_of(address) not in known
    if scheme := re.match(r"[a-z][a-z0-9+.-]{1,20}://", address, re.IGNORECASE):
        return _host("//" + address[scheme.end() :]) not in known
    named = re.match(
        r"((?:[\w-]{1,63}\.){1,9}[a-z]{2,20})" + (r"(?:$|[/?#:])" if bare else "/"), address, re.IGNORECASE
    )
    return named is not None and named[1].lower() not in known


def _told(address: str) -> str:
    """What stands for an address: its host, which says what was meant, and leads nowhere."""
    host = host_of(address)
    plain = host if re.fullmatch(r"[a-z0-9.-]{1,40}", host) and not _loaded(host) else ""
    return f"[{plain.replace('.', '. ')}: address removed]" if plain else "[address removed]"


def _loaded(host: str) -> bool:
    """Whether a host's name itself may carry data: a long or odd label."""
    labels = host.split(".")
    return len(labels) > 3 or any(len(label) > 16 or sum(sign.isdigit() for sign in label) > 3 for label in labels)
