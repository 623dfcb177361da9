import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.leads.entities.unlinked import is_linking_host
from defender_assets.core.leads.entities.urls import REWRITERS, host_of

SAFE_LINK = "https://nam02.safelinks.protection.outlook.com/?url={}&data=05%7C02&reserved=0"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Evil.Example:8443/path?x=a@b", "evil.example"),
        ("https://user:secret@evil.example/", "evil.example"),
        ("evil.example/path", "evil.example"),
        ("evil.example.", "evil.example"),
        ("http://[2001:db8::1]/", "2001:db8::1"),
        ("http://203.0.113.7/x", "203.0.113.7"),
        ("https://M\u00fcller.example", "xn--mller-kva.example"),
        ("https://mu\u0308ller.example", "xn--mller-kva.example"),
        ("https://" + "\u00fc" * 300, "\u00fc" * 300),
        ("http://[broken", None),
        ("http://localhost/", None),
        ("-", None),
        ("", None),
        ("not a url", None),
    ],
)
def test_a_url_gives_its_host(url: str, expected: str | None) -> None:
    assert host_of(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "uri=https://evil.example/x?u=https://other.example",
        "URL: https://evil.example",
        "url=evil.example",
        "  'https://evil.example/'",
        "<https://evil.example>",
        "[https://evil.example/x]",
        "hxxps://evil[.]example/x",
        "hXXp[:]//evil(.)example",
        "http[://]evil[dot]example",
        "https://evil.\u200bexample\u00a0",
        "http:\\\\evil.example\\x",
        "https:/evil.example",
        "//evil.example/x",
    ],
)
def test_a_url_may_be_written_as_people_write_indicators(url: str) -> None:
    assert host_of(url) == "evil.example"


@pytest.mark.parametrize(
    "url",
    ["about:blank", "data:text/html,x", "javascript:x()", "mailto:a@b.example", "C:\\x.exe", "N/A", "file:///C:/x"],
)
def test_what_leads_nowhere_has_no_host(url: str) -> None:
    assert host_of(url) is None


@pytest.mark.parametrize(
    "url",
    [
        SAFE_LINK.format("https%3A%2F%2Fevil.example%2Flogin"),
        "https://eur05.safelinks.protection.outlook.com/?URL=http%3A%2F%2Fevil.example",
        "https://urldefense.proofpoint.com/v1/url?u=http://evil.example/&k=oIvRg1%2B",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__evil.example_a-2Db&d=DwMFaQ",
        "https://urldefense.com/v3/__https://evil.example/x*y__;Iw!!abc",
        "https://protect-eu.mimecast.com/s/Abc123?domain=evil.example",
        "https://linkprotect.cudasvc.com/url?a=https%3a%2f%2fevil.example%2f&c=E,1",
        "https://secure-web.cisco.com/1Token/https%3A%2F%2Fevil.example%2Fp",
        "https://www.google.com/url?sa=D&q=https://evil.example/&usg=x",
        "https://www.google.de/url?url=https%3A%2F%2Fevil.example",
        "https://imsva91-ctp.trendmicro.com:443/wis/clicktime/v1/query?url=http%3a%2f%2fevil.example&umid=1",
        "https://protect.checkpoint.com/v2/___https://evil.example/a___.YzJ1Og==",
        "https://protect2.fireeye.com/v1/url?k=1&u=https%3A%2F%2Fevil.example",
        "https://eu-west-1.protection.sophos.com?d=evil.example&u=aHR0cHM6Ly9ldmlsLmV4YW1wbGUv",
        "https://www.bing.com/ck/a?!&&p=1&u=a1aHR0cHM6Ly9ldmlsLmV4YW1wbGUv&ntb=1",
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fevil.example%2F",
        SAFE_LINK.format("https%3A%2F%2Furldefense.com%2Fv3%2F__https%3A%2F%2Fevil.example%2Fx__%3B%21%21a"),
        SAFE_LINK.format("https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dhttps%253A%252F%252Fevil.example"),
    ],
)
def test_a_rewritten_url_counts_by_its_target(url: str) -> None:
    assert host_of(url) == "evil.example"


@pytest.mark.parametrize(
    "url",
    [
        "https://nam02.safelinks.protection.outlook.com/?data=05%7C02",
        SAFE_LINK.format("%00"),
        "https://protect-us.mimecast.com/s/Abc123",
        "https://urldefense.com/v3/__;!!",
        "https://secure-web.cisco.com/1Token",
    ],
)
def test_a_rewriter_whose_target_cannot_be_read_links_nothing(url: str) -> None:
    host = host_of(url)
    assert host
    assert not is_linking_host(host)


def test_another_sites_redirect_is_its_own_and_pages_below_a_rewriter_tie() -> None:
    assert host_of("https://shop.example/out?url=https://evil.example") == "shop.example"
    assert is_linking_host("docs.google.com")


def test_rewriting_without_end_ends() -> None:
    url = "https://evil.example"
    for _ in range(40):
        url = f"https://l.facebook.com/l.php?u={url}"
    assert host_of(url) == "l.facebook.com"


@given(st.text(max_size=40), st.sampled_from([rewriter.hosts[0] for rewriter in REWRITERS]))
def test_no_text_raises(text: str, host: str) -> None:
    for url in (text, f"https://{host}/{text}", f"https://{host}/url?url={text}&u={text}&a={text}"):
        host_of(url)
