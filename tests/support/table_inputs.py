"""Tables that people write, and what goes wrong with them, as strategies of hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

SIGNS = [*"ab,\"\n\r\t \\é😀[]'", '""', "\r\n", "\\n", "train", "1.jpg,train,"]
CSV_TEXTS = st.lists(st.sampled_from(SIGNS), max_size=25).map("".join)

NAMES = ["0.jpg", "1.jpg", "a/0.jpg", "photo.1.jpg", "photo.2.jpg", "a//0.jpg", " 0.jpg", "é.jpg", "#1.jpg", "b.tar.jpg"]
SPLITS = ["train", "val", "test", "Train ", "dev", "restval"]
CAPTIONS = [
    "a dog", "a dog, a cat", 'a "nice" dog', "it's", "two\nlines", " blank ", "[0] once more", "[a dog]", "(a dog)",
    "w\\ a hat", "naïve 😀", "7", "a;b", "{a}", '"quoted"', "train", "Nan's cat",
]  # fmt: skip
NO_CAPTIONS = [
    "", "  ", "['a', 'b']", "('a', 'b')", "[\"a\", 'b']", "{'raw': 'a'}", "array(['a'])", "nan", "None", "NULL", "x" * 5001,
    "half \ud83d", '["a", "half \\ud83d"]',
]  # fmt: skip

good_captions = st.sampled_from(CAPTIONS) | st.text("ab ,\"'\\\n\té😀[]", min_size=1, max_size=8)
captions: st.SearchStrategy[Any] = st.one_of(
    good_captions,
    good_captions,
    st.lists(good_captions, min_size=1, max_size=3),
    st.lists(good_captions, min_size=1, max_size=3).map(json.dumps),
    st.sampled_from([*NO_CAPTIONS, None, 7, 1.5, [], ["a", None], ["a", ""], {"raw": "a"}, [["a"]], True]),
)
no_names = st.sampled_from(["", " ", "nan", None, 7, "x\0.jpg", "\ud83d.jpg", ["0.jpg"]])
names: st.SearchStrategy[Any] = st.one_of(*[st.sampled_from(NAMES)] * 6, no_names)
no_splits = st.sampled_from(["trian", "", None, 3, True, ["train"]])
splits: st.SearchStrategy[Any] = st.one_of(*[st.sampled_from(SPLITS)] * 6, no_splits)
concepts: st.SearchStrategy[Any] = st.sampled_from(
    ["dog", "cat", "cat ", "e\u0301", "é", 1, "1", 1.5, "", None, "None", "nan", "N/A", True, ["dog"]]
)


def rows(good: bool = False) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of a table with the columns image, split, caption and, in some tables, concept."""
    kinds = {"image": names, "split": splits, "caption": captions}
    if good:
        kinds = {"image": st.sampled_from(NAMES), "split": st.sampled_from(SPLITS), "caption": good_captions}
    plain = st.fixed_dictionaries(kinds)
    with_concepts = st.fixed_dictionaries({**kinds, "concept": concepts})
    return st.lists(plain, min_size=1, max_size=6) | st.lists(with_concepts, min_size=1, max_size=6)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, False])
    | st.integers(-100, 10**20)
    | st.floats(allow_nan=False)
    | st.text('ab"\\é😀\u2028\n', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "é", ""]), inner, max_size=3),
    max_leaves=8,
)
JSON_SIGNS = [
    '{"a": 1, "a": 2}', "NaN", "Infinity", "-", "1e999", "01", "\\ud83d", '"\\ud83d"', '"\\ud83d\\ude00"', "true", "nul",
    "1.", ".5", "1e5", *',:{}[]"\\ \n\x00\té',
]  # fmt: skip


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """JSON, in a third of the cases with parts of it removed, repeated or replaced by something that is no JSON."""
    text = json.dumps(draw(json_values), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        start = draw(st.integers(0, len(text)))
        stop = draw(st.integers(start, min(len(text), start + 3)))
        text = text[:start] + draw(st.sampled_from([*JSON_SIGNS, "", text[start:stop] * 2])) + text[stop:]
    return text


@st.composite
def damaged(draw: st.DrawFn, text: str, signs: str = '",\n\\') -> str:
    """A text with one to three of some signs removed or added."""
    for _ in range(draw(st.integers(1, 3))):
        places = [place for place, sign in enumerate(text) if sign in signs]
        if draw(st.booleans()) and places:
            place = draw(st.sampled_from(places))
            text = text[:place] + text[place + 1 :]
        else:
            place = draw(st.integers(0, len(text)))
            text = text[:place] + draw(st.sampled_from(signs)) + text[place:]
    return text
