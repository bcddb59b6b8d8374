"""Words are found where they are: in the lists that were made, and in what came later."""

from __future__ import annotations

import random

import pytest

from pacs_panel.index.columns_words import Words
from pacs_panel.index.values import words


@pytest.mark.parametrize("known", [0, 1, 150, 300])
def test_words_are_those_of_the_values(known: int) -> None:
    dice = random.Random(3)
    pieces = ["a", "ab", "abc", "Ä", "chest", "Chest_2", "山田", "1", "10", "-"]
    values = [None, *(" ".join(dice.choices(pieces, k=dice.randint(0, 4))) for _ in range(299))]
    found = Words.of(values[:known])
    for word in ["a", "ab", "abcd", "chest", "1", "山", "山田", "zz"]:
        whole = [word in words([value]) for value in values]
        begun = [any(each.startswith(word) for each in words([value])) for value in values]
        assert found.having(values, word, beginning=False).tolist() == whole
        assert found.having(values, word, beginning=True).tolist() == begun
