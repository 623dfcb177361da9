"""The page: the template, its style, and how any text gets into it.

Every text that the template shows goes through `finalize`, where control and direction characters become visible, and
then through Jinja's escaping; a template cannot forget it. The style may be applied because the page's policy holds
its hash; nothing else may be loaded, run or sent, so a text that got through would still do nothing.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from defender_assets.core.text import escape_control_chars, pluralize
from defender_assets.outputs.labels import listed, moment_words, product_name, span_words

_TEMPLATES = ("page.html", "marks.html", "picture.svg")
_STYLE = "page.css"


def page(content: Mapping[str, Any]) -> str:
    """Return the brief as HTML."""
    style = _text(_STYLE)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _environment().get_template("page.html").render(**content, style=Markup(style), style_hash=digest)  # noqa: S704 (a file of ours)


def picture(content: Mapping[str, Any]) -> str:
    """Return the small picture of the day as SVG."""
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
    environment.filters |= {
        "pluralize": pluralize,
        "listed": listed,
        "span": span_words,
        "product": product_name,
    }
    environment.globals["moment"] = moment_words
    return environment


def _shown(value: object) -> object:
    return escape_control_chars(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
