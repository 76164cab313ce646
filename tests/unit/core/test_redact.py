"""Secrets are found in every form in which an answer may repeat them, whole or cut, and nothing else is touched."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.core.redact import SECRET_MIN_CHARS, Redactor, forms_of, known_secrets
from engine.core.text import REDACTED
from tests.growth import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLE=KEY"
TOKEN = "FwoGZXIvYXdzEJr//////////wEaDCanary+Session/Token0123456789abcdef=="
REDACTOR = Redactor([SECRET, TOKEN])
PIECE_CHARS = 12  # of a secret: a shorter piece may stand there by chance
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "URL": lambda text: quote(text, safe=""),
    "URL with slashes": quote,
    "URL of a form": quote_plus,
    "URL in small letters": lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
    "URL twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form-decoded": lambda text: text.replace("+", " "),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON with escapes": lambda text: text.replace("/", "\\u002f").replace("+", "\\u002b").replace("=", "\\u003d"),
    "HTML": html.escape,
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
    "base64 behind one byte": lambda text: b64encode(b"x" + text.encode()).decode(),
    "base64 behind two bytes": lambda text: b64encode(b"xy" + text.encode() + b"z").decode(),
    "base64 for URLs in the middle": lambda text: urlsafe_b64encode(f"secret={text}&more=1".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
}


def pieces(form: str) -> list[str]:
    """Every piece of a form that would tell something of the secret."""
    return [form[at : at + PIECE_CHARS] for at in range(2, len(form) - PIECE_CHARS - 2)]


@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["secret", "token"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_secret_is_found_in_every_form(secret: str, form: Callable[[str], str]) -> None:
    written = form(secret)
    shown = REDACTOR.text(f"Invalid token <{written}> in the request")
    assert REDACTED in shown
    around = 24  # characters of base64 that stand for what is before and behind the secret
    assert len(shown) <= len(f"Invalid token <{REDACTED}> in the request") + around


@given(st.sampled_from([SECRET, TOKEN]), st.sampled_from(sorted(FORMS)), st.integers(10, 200), st.text(max_size=30))
def test_a_text_that_somebody_cut_shows_no_piece_either(secret: str, form: str, length: int, before: str) -> None:
    assume(form not in {"base64 behind one byte", "base64 behind two bytes", "base64 for URLs in the middle"})
    written = FORMS[form](secret)
    shown = REDACTOR.text((before + written)[: len(before) + length])
    assert not [piece for piece in pieces(written[:length]) if piece in shown]


@given(st.text(max_size=200))
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assume(not any(form[:SECRET_MIN_CHARS] in text for secret in (SECRET, TOKEN) for form in forms_of(secret)))
    assume("AKIA" not in text)
    assume("ASIA" not in text)
    assert REDACTOR.text(text) == text


def test_an_answer_loses_secrets_wherever_they_stand_and_is_the_same_without() -> None:
    answer = {
        "Apps": [{"AppName": "a" * 20, "Tags": {SECRET: [quote(TOKEN, safe="")]}, "CreationTime": 1.5}],
        "N": None,
    }
    shown = json.dumps(REDACTOR.answer(answer))
    assert SECRET not in shown
    assert quote(TOKEN, safe="") not in shown
    assert json.loads(shown)["Apps"][0]["CreationTime"] == 1.5
    clean = {"Apps": [{"AppName": "alice-lab"}]}
    assert REDACTOR.answer(clean) is clean
    assert Redactor().answer(answer) is answer


def test_what_is_learnt_later_is_found_too_and_short_words_are_not_secrets() -> None:
    redactor = Redactor(["short"])
    assert redactor.text(f"short {SECRET}") == f"short {SECRET}"
    redactor.learn([SECRET])
    redactor.learn([SECRET])
    assert redactor.text(f"short {SECRET}") == f"short {REDACTED}"


@pytest.mark.parametrize("behind", ["... (truncated)", '", "more": 1', " was not accepted", f" and {TOKEN[:20]}…"])
@pytest.mark.parametrize("name", ["as it is", "URL", "JSON with escapes", "base64", "hexadecimal"])
def test_a_head_of_a_secret_goes_wherever_somebody_cut_it(name: str, behind: str) -> None:
    head = FORMS[name](SECRET)[:26]
    shown = REDACTOR.text(f"bad signature for {head}{behind}, {head}{behind}")
    assert shown == f"bad signature for {REDACTED}{REDACTOR.text(behind)}, {REDACTED}{REDACTOR.text(behind)}"
    assert TOKEN[:SECRET_MIN_CHARS] not in shown


def test_what_two_forms_have_in_common_goes_as_far_as_the_longer_piece() -> None:
    assert REDACTOR.text(f"<{quote(SECRET, safe='')[:30]}>") == f"<{REDACTED}>"
    assert REDACTOR.text(f"<{SECRET[:30]}>") == f"<{REDACTED}>"


def test_a_long_text_full_of_heads_is_read_once() -> None:
    same = "a" * 40
    assert Redactor([same]).text("a" * 200_000) == REDACTED * 5_000
    assert Redactor([same]).text(f"{'a' * 39} " * 20_000) == f"{REDACTED} " * 20_000


@pytest.mark.parametrize("secret", ["simulate", "simulated", "simulated-secret"])
def test_a_name_of_a_flag_stays_though_a_secret_is_like_it(secret: str) -> None:
    redactor = Redactor([secret, "wait-timeout"])
    typed = "appfleet apply --yes --simulate --wait-timeout=5m"
    assert redactor.text(typed) == typed
    assert redactor.text(f"`--simulate` '--simulate={secret}'") == f"`--simulate` '--simulate={REDACTED}'"
    assert redactor.text(f"key={secret} {secret}") == f"key={REDACTED} {REDACTED}"
    assert Redactor([SECRET]).text(f"--{SECRET} --x-{SECRET[:20]}") == f"--{REDACTED} --x-{REDACTED}"


def _searched_for_each(values: list[str], text: str) -> str:
    """Return what a search for one secret after the other leaves of `text`, in the plainest way."""
    near = [form for value in values for form in forms_of(value) if form[:SECRET_MIN_CHARS] in text]
    for form in sorted(set(near), key=lambda form: (-len(form), form)):
        text = text.replace(form, REDACTED)
    for head in sorted({form[:SECRET_MIN_CHARS] for form in near}):
        while (at := text.find(head)) >= 0:
            alike = [form for form in near if form.startswith(head)]
            shared = max(end for form in alike for end in range(len(form) + 1) if text.startswith(form[:end], at))
            text = text[:at] + REDACTED + text[at + shared :]
    return text


# Secrets that begin alike, as session tokens do, and that have much that is written otherwise in some form.
_ALIKE = st.builds(str.__add__, st.sampled_from(["", "IQoJb3Jp", "ABC/+ABC"]), st.text('AB/+=&ü"', max_size=24))
_SECRETS = st.lists(_ALIKE.filter(lambda secret: len(secret) >= SECRET_MIN_CHARS), min_size=1, max_size=4)


@given(st.data(), _SECRETS)
def test_what_is_left_is_what_a_search_for_each_secret_leaves(data: st.DataObject, secrets: list[str]) -> None:
    forms = sorted(form for secret in secrets for form in forms_of(secret))
    cut = st.builds(
        lambda form, first, last: form[first:last], st.sampled_from(forms), st.integers(0, 3), st.integers(4)
    )
    text = "".join(data.draw(st.lists(st.one_of(st.sampled_from(forms), cut, st.text("AB/ %\\I\udc80", max_size=9)))))
    redactor = Redactor()
    for secret in secrets:  # one after the other, as lanes come
        redactor.learn([secret])
        redactor.text(text)
    shown = redactor.text(text)
    assert shown == _searched_for_each(secrets, text)
    assert not [form for form in forms if form[:SECRET_MIN_CHARS] in shown]


def test_a_word_of_a_secret_alone_is_none_and_stays() -> None:
    for word in (SECRET[:4], SECRET[1:5], SECRET[2:6], SECRET[3:7]):
        assert REDACTOR.text(f"word{word} and {word}") == f"word{word} and {word}"
        assert REDACTOR.text(f"{word}..\ud800") == f"{word}..\ud800"


def test_a_secret_that_is_long_out_of_use_is_redacted_all_the_same() -> None:
    redactor = Redactor([SECRET])
    redactor.learn(f"{TOKEN[:20]}{number:08}" for number in range(300))
    assert redactor.text(f"late: {SECRET}, {TOKEN[:20]}{7:08}") == f"late: {REDACTED}, {REDACTED}"


def test_a_text_costs_no_more_where_many_secrets_are_known() -> None:
    def lanes(count: int) -> Redactor:
        return Redactor(f"{number:04}{letter}{SECRET}" for number in range(count) for letter in "abc")

    few, many = lanes(1), lanes(100)
    text = "research/space/alice-lab/JupyterLab/default was created in 12.5 s" * 20
    assert many.text(text) == text
    assert steps_of(lambda: many.text(text)) <= 2 * steps_of(lambda: few.text(text))
    assert steps_of(lambda: many.learn([f"0007a{SECRET}"])) == steps_of(lambda: few.learn([f"0000a{SECRET}"]))


def test_the_secrets_of_the_environment_are_known() -> None:
    environment = {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": "", "HOME": "/home/a"}
    assert known_secrets(environment) == [SECRET]
