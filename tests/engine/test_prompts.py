"""Prompts: rendered in a sandbox that neither leaks nor grows without bound."""

import json
import subprocess
import sys

import pytest

from aistrale_lab.domain.chat import Message
from aistrale_lab.domain.tasks import Dataset, PromptTemplate, Sample
from aistrale_lab.engine.prompts import check_prompts, compile_prompt, shots_from
from aistrale_lab.errors import PromptError

SAMPLE = Sample(
    id="q1",
    input="Is {{ 7*7 }} or {} fifty?",
    target="no",
    metadata={"choices": ["yes", "no"], "level": 3},
)


def user_text(template: str, sample: Sample = SAMPLE) -> str:
    return compile_prompt(PromptTemplate(user=template)).render(sample)[-1].text


def test_braces_inside_the_text_of_a_sample_stay_text() -> None:
    assert user_text("{{ input }}") == "Is {{ 7*7 }} or {} fifty?"
    assert user_text("Q: {{ input }}") == "Q: Is {{ 7*7 }} or {} fifty?"


def test_a_template_may_name_metadata_and_loop_over_it() -> None:
    text = user_text("{% for c in choices %}{{ loop.index }}. {{ c }}\n{% endfor %}")

    assert text == "1. yes\n2. no\n"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ id|upper }} {{ level + 1 }}", "Q1 4"),
        ("{{ choices|join(', ') }}", "yes, no"),
        ("{{ choices|tojson }}", '["yes", "no"]'),
        ("{{ 'a' ~ level ~ 'b' }}", "a3b"),
        ("{% if level > 2 %}hard{% else %}easy{% endif %}", "hard"),
        ("{{ input.split()[0]|replace('I', 'J') }}", "Js"),
        ("a\n", "a\n"),
    ],
)
def test_what_templates_are_for_works(template: str, text: str) -> None:
    assert user_text(template) == text


def test_system_shots_and_question_come_in_this_order() -> None:
    shots = (Message(role="user", content="1?"), Message(role="assistant", content="2"))
    template = PromptTemplate(system="Level {{ level }}.", shots=shots)

    messages = compile_prompt(template).render(SAMPLE)

    assert [m.role for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[0].text == "Level 3."


def test_a_conversation_is_sent_turn_by_turn_or_as_its_last_question() -> None:
    turns = (
        Message(role="user", content="Hi"),
        Message(role="assistant", content="Hello"),
        Message(role="user", content="2 + 2?"),
    )
    sample = Sample(id="c", input=turns)

    assert compile_prompt(PromptTemplate()).render(sample) == turns
    assert user_text("Q: {{ input }}", sample) == "Q: 2 + 2?"


def test_shots_are_made_of_samples_with_targets() -> None:
    dataset = Dataset(name="d", samples=(SAMPLE,))

    shots = shots_from(dataset, prompt=PromptTemplate(user="Q: {{ id }}"))

    assert [(m.role, m.text) for m in shots] == [("user", "Q: q1"), ("assistant", "no")]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{{ inptu }}",
            "sample 'q1': 'inptu' is undefined; fields: choices, group, id",
        ),
        ("{{ target }}", "may not name the target"),
        ("{{ input", "the user template is broken"),
        ("{% include 'x' %}", "cannot use Include"),
        ("{% macro m() %}{% endmacro %}", "cannot use Macro"),
        ("{{ input.format(1) }}", "'format' is not available"),
        ("{{ level.missing }}", "has no attribute 'missing'"),
    ],
)
def test_a_template_that_fails_is_refused_before_any_call(
    template: str, message: str
) -> None:
    with pytest.raises(PromptError, match=message):
        check_prompts(
            PromptTemplate(user=template), Dataset(name="d", samples=(SAMPLE,))
        )


HOSTILE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{0.__class__}'.format(input) }}",
    "{{ '{:999999999d}'.format(1) }}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ input * 1000 }}{% endfor %}",
    "{{ 'a'*10**9 }}",
    "{{ [1]*10**9 }}",
    "{{ 10**10**10 }}",
    "{{ '%999999999d' % 1 }}",
    "{{ 'a'|center(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ 'a'|indent(10**9) }}",
    "{{ ('a'*10**6).replace('a', 'b'*10**6) }}",
    "{{ ('b'*10**6).join(['a']*1) }}{{ ('b'*4000000).join('aaaaaaaaaa') }}",
    "{% set n = namespace(x='a') %}{% for i in range(60) %}"
    "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x='a') %}{% for i in range(60) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}"
    "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}"
    "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x|tojson }}",
]

HOSTILE_RUN = """
import json, re, sys, time
from pathlib import Path
from aistrale_lab.domain.tasks import PromptTemplate, Sample
from aistrale_lab.engine.prompts import compile_prompt
from aistrale_lab.errors import PromptError

compile_prompt(PromptTemplate(user="{{ input }}!")).render(Sample(id="w", input="w"))
found = []
for template in json.loads(sys.stdin.read()):
    began = time.perf_counter()
    try:
        compile_prompt(PromptTemplate(user=template)).render(Sample(id="1", input="abc"))
        ended = "rendered"
    except PromptError as error:
        ended = "refused"
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status).group(1)) // 1024
    found.append([template, ended, time.perf_counter() - began, peak])
print(json.dumps(found))
"""


def test_hostile_templates_end_soon_and_small() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HOSTILE_RUN],
        input=json.dumps(HOSTILE),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    found = json.loads(ended.stdout)
    assert [template for template, end, _, _ in found if end != "refused"] == []
    assert max(seconds for _, _, seconds, _ in found) < 1
    assert max(megabytes for _, _, _, megabytes in found) < 200
