"""The one catalogue of reasons."""

from __future__ import annotations

from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason, explain


def test_every_reason_has_words_in_both_languages_and_no_word_is_used_twice() -> None:
    for words in (WORDS_VI, WORDS_EN):
        assert set(words) == set(Reason)
        assert len(set(words.values())) == len(Reason)


def test_people_read_vietnamese_first() -> None:
    assert explain(Reason.EXPIRED) == "lệnh phát đã hết hiệu lực / no longer valid"
