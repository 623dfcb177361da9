import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.leads.entities.identifier_text import identifier, normal_text
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
