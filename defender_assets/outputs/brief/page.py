"""The rendering of the brief: its templates, its style, and the escaping of all text.

Every text goes through `finalize`, which makes control and direction characters visible, and then through Jinja's
autoescaping; a template cannot omit either. The page's content security policy allows only the style, by its hash:
nothing else is loaded, run or sent, so a text that escapes both is still inert.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from defender_assets.core.text import escape_control_chars, pluralize
from defender_assets.outputs.brief.format import span_words
from defender_assets.outputs.labels import listed, moment_words, product_name

_TEMPLATES = ("page.html", "marks.html", "picture.svg")
_STYLE = "page.css"


def page(content: Mapping[str, Any]) -> str:
    """Return the brief as HTML."""
    style = _text(_STYLE)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template("page.html").render(**content, style=Markup(style), style_hash=digest)  # noqa: S704 (a file of ours)


def picture(content: Mapping[str, Any]) -> str:
    """Return the day's small picture as SVG."""
    return _environment().get_template("picture.svg").render(**content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({name: _text(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"pluralize": pluralize, "listed": listed, "span": span_words, "product": product_name}
    environment.filters["whole_names"] = _whole_names
    environment.globals["moment"] = moment_words
    return environment


def _whole_names(text: str) -> Markup:
    """Return a text, escaped, whose words with a hyphen are not broken there, such as the name of a device."""
    words = re.split(r"(\S+-\S+)", escape_control_chars(text))
    whole = Markup('<span class="whole">{}</span>')
    # the second of two parts is such a word
    return Markup("").join(whole.format(word) if number % 2 else escape(word) for number, word in enumerate(words))


def _shown(value: object) -> object:
    return escape_control_chars(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
