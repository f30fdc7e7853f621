"""In which script and language a text is, without a model: by its letters, and by the function words that no sentence does without
(Ingle 1976; Grefenstette 1995). Sure of a sentence or two; of a few words it often cannot say, and says nothing."""

from __future__ import annotations

import re
from collections import Counter

SCRIPTS = {
    "latin": ((0x41, 0x24F), (0x1E00, 0x1EFF)), "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)), "cyrillic": ((0x400, 0x52F),),
    "hebrew": ((0x590, 0x5FF),), "arabic": ((0x600, 0x6FF), (0x750, 0x77F)), "devanagari": ((0x900, 0x97F),),
    "thai": ((0xE00, 0xE7F),), "hangul": ((0xAC00, 0xD7AF), (0x1100, 0x11FF)), "kana": ((0x3040, 0x30FF),),
    "han": ((0x4E00, 0x9FFF), (0x3400, 0x4DBF)),
}  # fmt: skip


def script_of(text: str) -> str | None:
    """The script that most letters of a text are of; Japanese, which mixes two, is "kana". None: no letter of a known one."""
    counts = dict.fromkeys(SCRIPTS, 0)
    for sign in text:
        code = ord(sign)
        name = next((one for one, spans in SCRIPTS.items() if any(low <= code <= high for low, high in spans)), None)
        if name and sign.isalpha():
            counts[name] += 1
    if counts["kana"]:
        counts["kana"] += counts.pop("han")
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else None


_WORDS = {
    "en": "the of and to is are was in that it for with this you what how be have not do does why when which write from an by can "
    "my me",
    "de": "der die das und ist nicht ein eine einen zu den dem des mit von für auf ich du sie wie was warum wird sind im es auch "
    "oder kann wer bitte schreibe mein über aus bei wenn nach",
    "fr": "le la les des et est une un du que qui dans pour pas ne sur avec ce cette je vous nous au aux il elle sont quel quelle "
    "comment pourquoi mon par plus ou l qu",
    "es": "el la los las de que y es en un una por con no se para del al lo como qué cómo cuál su mi más pero está son este esta "
    "ser escribe puede",
    "it": "i il lo la gli le di che e è un una per con non si del della dei delle nel nella come cosa quale sono perché mi questo "
    "questa al alla più da ma scrivi può",
    "pt": "o a os as de que e é em um uma para por com não se do da dos das no na como qual meu mais mas são está ao à pelo "
    "escreva pode isto este você",
    "nl": "de het een en van is niet dat in op te voor met zijn ik je wat hoe waarom aan er door maar ook als naar dit deze bij "
    "wordt kan mijn schrijf of",
    "sv": "i och att det är en ett som för på med inte av den jag vad hur till har om kan varför från eller du de när skriv min "
    "vi denna",
    "da": "i og at det er en et som for på med ikke af den jeg hvad hvordan til har om kan hvorfor fra eller du de når skriv min "
    "vi denne blev meget efter noget nogle bliver mellem kun uden mere ud op nu skal kunne været ingen hvis",
    "nb": "i og at det er en et som for på med ikke av den jeg hva hvordan til har om kan hvorfor fra eller du de når skriv min "
    "vi denne ble veldig etter noe noen blir mellom bare uten mer ut opp nå skal kunne vært ingen hvis",
    "fi": "ja on ei se että mitä miten miksi kuin ovat tai mutta olen minun sen hän joka oli voi kirjoita ole tämä niin kun myös",
    "pl": "i w nie na się z że jest to do jak co czy dla od jego są po tak ale przez ten ta napisz dlaczego jaki jaka może lub "
    "mnie",
    "cs": "a v je se na že to s z do jak co pro jsem není ale jako by tak od který která nebo podle napiš proč jaký jaká jsou "
    "může při",
    "ro": "și în de la cu este nu că o un pe din care pentru ce cum sunt mai se al ale lui scrie poate sau fost ca",
    "hu": "a az és hogy nem egy is van meg mi ez de mit hogyan miért azt ha csak volt vagy írj lehet már ki kell",
    "tr": "ve bir bu için ile ne da de mi nasıl neden çok olarak daha var ben yaz olan gibi değil hangi kadar ya en mı",
    "ru": "и в не на что с по как это из для к от у мне же о вы я он она они но или какой почему есть при напиши был так",
    "uk": "і в не на що з як це та для до від у мені за про ви я він вона вони але або який чому є при напиши був так й із",
    "bg": "и в не на че с по как това от за да е се са аз той тя те но или какъв защо при напиши беше със ще към ли",
}
_LETTERS = {
    "de": "ßäöü", "fr": "çœêèùâûîëéà", "es": "ñ¿¡áéíóú", "it": "ìòèùàé", "pt": "ãõçêâáéíóú", "sv": "åäö", "da": "æøå", "nb": "æøå",
    "fi": "äö", "pl": "łąęśżźćńó", "cs": "řěůčšžýáéíú", "ro": "ășțâî", "hu": "őűáéíóöüú", "tr": "ğışçöü", "ru": "ыэё", "uk": "іїєґ",
    "bg": "ъ",
}  # fmt: skip
_OF_SCRIPT = {
    "greek": "el", "hebrew": "he", "arabic": "ar", "devanagari": "hi", "thai": "th", "hangul": "ko", "kana": "ja", "han": "zh",
}  # fmt: skip
"""Scripts of which one language is meant: who writes Persian or Marathi is taken for an Arab, an Indian."""
LANGUAGES = (*_WORDS, *_OF_SCRIPT.values())
_SIGNS = {name: {*words.split()} for name, words in _WORDS.items()}
_HAVE = Counter(sign for signs in (*_SIGNS.values(), *_LETTERS.values()) for sign in signs)
"""How many languages have a word or a letter: the more, the less it says for each."""
_LEAD = 1.1
"""The likeliest language is so many times as likely as the next, or the text is of none."""
_MOST = 5000
"""So many characters tell enough."""


def language_of(text: str) -> str | None:
    """The language of a text, as its ISO 639-1 code, one of LANGUAGES; None where its words tell none, or two as well. What stands
    in a code fence is not looked at."""
    text = re.sub(r"```.*?(?:```|$)", " ", text, flags=re.DOTALL)[:_MOST]
    script = script_of(text)
    if script not in ("latin", "cyrillic"):
        return _OF_SCRIPT.get(script or "")
    plain = text.lower()
    words = Counter(re.findall(r"[^\W\d_]{2,}|(?<!\S)[^\W\d_](?!\S)", plain))
    points = {
        name: sum(count / _HAVE[word] for word, count in words.items() if word in _SIGNS[name]) for name in _SIGNS
    }
    for name, letters in _LETTERS.items():
        points[name] += sum(plain.count(letter) / _HAVE[letter] for letter in letters)
    (best, most), (_, second), *_ = sorted(points.items(), key=lambda item: -item[1])
    return best if most and most >= _LEAD * second else None
