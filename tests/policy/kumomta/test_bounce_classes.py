"""Answers of receivers get the class that the real kumod gave them: what is a refusal for
reputation, and what is a bad address, a record that is missing or a message's content."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import standins.kumod
from hostagent.reputation.refusal import CLASS
from policy.render.data import BOUNCES
from standins.kumod.classify import BounceClassifier
from standins.kumod.errors import KumoError
from standins.kumod.logs import Response

SHARE = Path(standins.kumod.__file__).parent / "share"
COMMUNITY = SHARE / "community/bounces.toml"
IANA = SHARE / "bounce_classifier/iana.toml"
ANSWERS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("answers_of_receivers.yaml").read_text("utf-8")
)
LINE = re.compile(r"(?P<code>\d{3})[ -](?P<enhanced>[245]\.\d{1,3}\.\d{1,3} )?(?P<text>.*)")


def classifier(*files: Path) -> BounceClassifier:
    made = BounceClassifier()
    made.load([str(file) for file in files], Path)
    return made


def response(lines: list[str]) -> Response:
    """As kumod reads an answer: one line, without the codes of each."""
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found)
    first = found[0]
    assert first
    enhanced = first["enhanced"]
    one, two, three = (int(part) for part in (enhanced or "0.0.0").strip().split("."))
    return Response(
        code=int(first["code"]),
        enhanced=(one, two, three) if enhanced else None,
        content=" ".join(match["text"] for match in found if match),
    )


@pytest.mark.parametrize("answer", ANSWERS, ids=[one["lines"][0][:50] for one in ANSWERS])
def test_an_answer_has_the_class_that_the_real_kumod_gave_it(answer: dict[str, Any]) -> None:
    said = response(answer["lines"])
    kind = "TransientFailure" if said.code < 500 else "Bounce"
    with_all = classifier(BOUNCES, COMMUNITY, IANA).classify(kind, said)
    alone = classifier(BOUNCES, IANA).classify(kind, said)
    stock = classifier(COMMUNITY, IANA).classify(kind, said)
    recorded = answer["class"]
    assert with_all == recorded
    assert alone == answer.get("alone", recorded)
    if recorded == CLASS:
        assert alone == CLASS, "found also without the rules of the community"
    if "stock" not in answer:
        assert stock == recorded


def test_a_refusal_at_the_greeting_is_found_in_what_kumod_makes_of_it() -> None:
    """As recorded on the real one."""
    said = Response(
        code=400,
        content="KumoMTA internal: failed to connect to any candidate hosts: connect to "
        "192.0.2.25:25 and read initial banner: Command rejected Response { code: 554, "
        'enhanced_code: None, content: "gateway.example.net\\nYour access to this mail system has '
        "been rejected due to the sending MTA's poor reputation.\", command: None }",
    )
    assert classifier(BOUNCES, IANA).classify("TransientFailure", said) == CLASS


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("rules.yaml", "", "must have either .toml or .json"),
        ("rules.toml", "[rules]\nA = ['(?!x)y']", "compiling rules"),
        ("rules.toml", "[rules]\nA = ['(x']", "compiling rules"),
        ("rules.toml", "A = ['x']", "decoding"),
        ("rules.json", "[rules]", "decoding"),
    ],
)
def test_rules_that_kumod_refuses_are_refused(
    name: str, text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(KumoError, match=why):
        classifier(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Feedback", CLASS), ("Rejection", CLASS), ("OOB", CLASS), ("Delivery", "Uncategorized")],
)
def test_the_kinds_of_records_that_kumod_classifies(kind: str, expected: str) -> None:
    said = Response(code=550, content="Client host [192.0.2.1] blocked using Spamhaus")
    assert classifier(BOUNCES).classify(kind, said) == expected
