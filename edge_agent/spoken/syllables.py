"""Tell a Vietnamese word from a foreign one or an abbreviation, by how its syllables are built. Pure.

A word that passes may still be none; one that does not pass cannot be spoken by a Vietnamese voice as it stands.
"""

from __future__ import annotations

import re
import unicodedata

TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
MARKS = TONES | frozenset("\u0302\u0306\u031b")
# The second line: names of the Highlands, and words that came with the thing (kroong, plây).
ONSET = r"(?:ngh|ng|nh|ch|gh|gi|kh|ph|qu|th|tr|b|c|d|đ|g|h|k|l|m|n|p|r|s|t|v|x|kr|br|dr|đr|pr|gr|pl|bl|kl|gl|cr)?"
NUCLEUS = (
    "(?:iêu|yêu|oai|oay|oao|oeo|uây|uôi|uya|uyê|uyu|ươi|ươu|"
    "ai|ao|au|ay|âu|ây|ea|eo|êa|êu|ia|iê|iu|oa|oă|oe|oi|oo|ôi|ơi|ua|uâ|uê|ui|uô|uơ|uy|ưa|ưi|ươ|ưu|yê|"
    "a|ă|â|e|ê|i|o|ô|ơ|u|ư|y)"
)
FINAL = "(?:ch|ng|nh|c|k|m|n|p|t)?"
SYLLABLE = re.compile(ONSET + NUCLEUS + FINAL)
SYLLABLE_CHARS_MAX = 7
# nghiêng


def is_syllable(text: str) -> bool:
    """Whether it may be one Vietnamese syllable; capitals make no difference."""
    if not 1 <= len(text) <= SYLLABLE_CHARS_MAX:
        return False
    parts = unicodedata.normalize("NFD", text.lower())
    if sum(char in TONES for char in parts) > 1:
        return False
    plain = unicodedata.normalize("NFC", "".join(char for char in parts if char not in TONES))
    return SYLLABLE.fullmatch(plain) is not None


def is_bare(text: str) -> bool:
    """Whether it has no mark of Vietnamese, so that it may be an abbreviation as well."""
    return "đ" not in text.lower() and not any(char in MARKS for char in unicodedata.normalize("NFD", text))
