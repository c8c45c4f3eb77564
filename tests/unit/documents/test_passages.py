"""Cutting by structure: nothing lost, nothing too long, never across a heading, places that hold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rejoinder.documents.content import Block, Content
from rejoinder.documents.passages import about_tokens, cut, sentence_spans


def content(*blocks: Block, title: str = "Handbook") -> Content:
    return Content(title=title, blocks=blocks)


def heading(text: str, level: int = 1) -> Block:
    return Block(kind="heading", text=text, level=level)


def text(said: str) -> Block:
    return Block(kind="text", text=said)


def said(made, number: int) -> str:
    passage = made.passages[number]
    return made.text[passage.start : passage.end]


def test_a_passage_has_the_headings_above_it_and_never_crosses_one():
    made = cut(
        content(
            heading("Refunds"),
            text("We pay back."),
            heading("Cards", 2),
            text("In five days."),
            heading("Cash"),
            text("At once."),
        )
    )
    assert [(one.headings, made.text[one.start : one.end]) for one in made.passages] == [
        (("Refunds",), "We pay back."),
        (("Refunds", "Cards"), "In five days."),
        (("Cash",), "At once."),
    ]


def test_a_list_stays_with_the_sentence_before_it():
    items = [Block(kind="item", text=word) for word in ("passport", "bill", "photo")]
    made = cut(content(text("Bring with you:"), *items))
    assert len(made.passages) == 1
    assert said(made, 0) == "Bring with you:\n\npassport\nbill\nphoto"


def test_a_long_paragraph_is_cut_at_ends_of_sentences():
    made = cut(content(text("This sentence has seven words in it. " * 40)), most_tokens=40)
    assert len(made.passages) > 5
    assert all(said(made, number).endswith("in it.") for number in range(len(made.passages)))


def test_a_reply_is_a_passage_of_its_own_below_its_question():
    made = cut(
        content(
            Block(kind="question", text="Where is my order?"),
            Block(kind="reply", text="It left today."),
            Block(kind="question", text="How do I pay?"),
            Block(kind="reply", text="By card."),
        )
    )
    assert [(one.kind, one.headings, made.text[one.start : one.end]) for one in made.passages] == [
        ("reply", ("Where is my order?",), "It left today."),
        ("reply", ("How do I pay?",), "By card."),
    ]


def test_chinese_sentences_end_at_their_own_marks():
    words = "退款需要五天。请联系我们！"
    assert [words[start:end] for start, end in sentence_spans(words)] == ["退款需要五天。", "请联系我们！"]


_WORDS = st.text(st.sampled_from("abc de. ! 退款。\n-X1"), max_size=400)
_BLOCKS = st.builds(
    Block,
    kind=st.sampled_from(["heading", "text", "item", "row", "code", "question", "reply"]),
    text=_WORDS,
    level=st.integers(1, 6),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_BLOCKS, max_size=12), st.sampled_from([8, 20, 128]))
def test_whatever_the_blocks_no_passage_is_too_long_or_overlaps_and_no_word_is_lost(blocks: list[Block], most: int):
    made = cut(content(*blocks), most_tokens=most)
    last = 0
    for one in made.passages:
        assert last <= one.start < one.end <= len(made.text)
        assert about_tokens([made.text[one.start : one.end]])[0] <= most
        last = one.end
    found = "".join("".join(made.text[one.start : one.end].split()) for one in made.passages)
    body = "".join("".join(block.text.split()) for block in blocks if block.kind not in ("heading", "question"))
    assert found == body
