import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.leads.entities.addresses import SIMPLE_ADDRESS, normal_address
from defender_assets.core.leads.entities.identifier_text import (
    MANY,
    SIMPLE_IDENTIFIER,
    SIMPLE_SHOWN,
    by_value,
    identifier,
    normal_text,
    shown,
)
from defender_assets.core.leads.entities.mail_addresses import SIMPLE_MAIL, mail_address
from defender_assets_tests.support.alert_rows import described, evidence, links_of_each


@pytest.mark.parametrize(
    "text", ["jane", " jane ", "ja\u200bne", "\ufeffjane", "jane\u00a0", "ja\u00adne", "ja\u2060ne\u202c", "jan\u034fe"]
)
def test_what_cannot_be_seen_is_no_part_of_an_identifier(text: str) -> None:
    assert identifier(text) == "jane"


@pytest.mark.parametrize(
    "text", ["", "-", "N/A", "Unknown", "(null)", "00000000-0000-0000-0000-000000000000", "\u200b"]
)
def test_a_placeholder_is_no_identifier(text: str) -> None:
    assert identifier(text) is None


@given(st.text(max_size=30))
def test_the_normal_text_is_stable(text: str) -> None:
    assert normal_text(normal_text(text)) == normal_text(text)


NORMAL_FORMS = [
    (identifier, SIMPLE_IDENTIFIER),
    (shown, SIMPLE_SHOWN),
    (mail_address, SIMPLE_MAIL),
    (normal_address, SIMPLE_ADDRESS),
]
ODD = [
    None, "", " ", "-", "N/A", "Jane Doe", " AB-1", "ab\n", "\u00c4\u00e9", "ja\u200bne", "1.2.3.4", "01.2.3.4",
    "1.2.3.256", "255.255.255.255", "1.2.3.4\n", "::ffff:1.2.3.4", "A@b", "a..b@c.d", ".a@b.c", "-a@b.c", "a@b-.c",
    "a@b..c", "a@1.2.3.4", "a_+b@C.example", "S-1-0-0", "Unknown", "none@none",
    f"{'a' * 5_000}@b.example", f"a@{'b.' * 3_000}c",
]  # fmt: skip
LETTERS = st.text("aZ0-_.+@ :=?<>%\"'\\\u00e4\u200b\n", max_size=9)
ADDRESSES = st.lists(st.integers(0, 300).map(str), min_size=3, max_size=5).map(".".join)


@given(st.lists(st.none() | LETTERS | ADDRESSES | st.emails() | st.text(max_size=5), max_size=60))
def test_simple_texts_have_the_value_that_a_call_would_return(texts: list[str | None]) -> None:
    texts = [*texts, *ODD]
    many = pl.Series("text", texts * (MANY // len(texts) + 1), dtype=pl.String)
    for function, simple in NORMAL_FORMS:
        expected = [None if text is None else function(text) for text in texts]
        assert by_value(many, function, simple).to_list()[: len(texts)] == expected


ALIKE = [
    (evidence("User", AccountUpn="ja\u200bne@corp.example"), evidence("User", AccountUpn="jane@corp.example")),
    (evidence("User", AccountDomain="CORP\u00a0", AccountName="jane"),
     evidence("User", AccountDomain="corp", AccountName="JANE")),
    (evidence("Url", RemoteUrl="https://ev\u200bil.example"), evidence("Url", RemoteUrl="https://evil.example")),
    (evidence("MailMessage", NetworkMessageId="M-1\u200b"), evidence("MailMessage", NetworkMessageId="m-1")),
    (evidence("MailMessage", fields={"Sender": "\u200fa@b.example"}),
     evidence("MailMessage", fields={"Sender": "a@b.example"})),
    (evidence("File", SHA256="AB\u200b"), evidence("File", SHA256="ab")),
]  # fmt: skip


def test_texts_that_look_the_same_are_one_entity(subtests: pytest.Subtests) -> None:
    of_hidden = links_of_each([hidden] for hidden, _ in ALIKE)
    of_plain = links_of_each([plain] for _, plain in ALIKE)
    for (_, plain), one, other in zip(ALIKE, of_hidden, of_plain, strict=True):
        with subtests.test(described(plain)):
            assert one == other != set()
