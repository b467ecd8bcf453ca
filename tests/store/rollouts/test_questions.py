"""Questions: chat lists, rendered prompts of every template, and what identifies a problem."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlvr_fast.errors import InvalidInputError
from rlvr_fast.store.readers.reader import MISSING
from rlvr_fast.store.rollouts.questions import question_key, read_question, read_questions
from rlvr_fast.store.rollouts.templates import last_user_turn

Q = "Let $x^2 = 9$ with x < 0.\nFind x."

# (name, a prompt as the tool or template renders it)
PROMPTS = {
    "chatml": f"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n{Q}<|im_end|>\n"
    "<|im_start|>assistant\n",
    "chatml without an opened answer": f"<|im_start|>user\n{Q}<|im_end|>\n",
    "chatml, worked examples": "<|im_start|>user\nWhat is 1+1?<|im_end|>\n<|im_start|>assistant\n2"
    f"<|im_end|>\n<|im_start|>user\n{Q}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "phi-4": f"<|im_start|>user<|im_sep|>{Q}<|im_end|><|im_start|>assistant<|im_sep|>",
    "chatml decoded (verl)": f"system\nYou are a helpful assistant.\nuser\n{Q}\nassistant\n",
    "chatml decoded, no system": f"user\n{Q}\nassistant\n<think>\n",
    "chatml decoded, empty thinking": f"user\n{Q}\nassistant\n<think>\n\n</think>\n\n",
    "chatml decoded, two turns": f"user\nWhat is 1+1?\nassistant\n2\nuser\n{Q}\nassistant\n",
    "llama 3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    f"<|start_header_id|>user<|end_header_id|>\n\n{Q}<|eot_id|><|start_header_id|>assistant"
    "<|end_header_id|>\n\n",
    "llama 3 decoded": "system\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024"
    f"\n\nuser\n\n{Q}assistant\n\n",
    "llama 3 decoded, blank line": f"user\n\n{Q}\n\nassistant\n\n",
    "llama 3 decoded, thinking": f"user\n\n{Q}assistant\n\n<think>\n",
    "llama 4": f"<|begin_of_text|><|header_start|>user<|header_end|>\n\n{Q}<|eot|>"
    "<|header_start|>assistant<|header_end|>\n\n",
    "llama 2": f"<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n{Q} [/INST]",
    "mistral": f"<s>[INST] {Q} [/INST]",
    "mistral, two turns": f"<s>[INST] What is 1+1? [/INST] 2</s>[INST] {Q} [/INST]",
    "mistral v7": f"<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]{Q}[/INST]",
    "gemma": f"<bos><start_of_turn>user\n{Q}<end_of_turn>\n<start_of_turn>model\n",
    "gemma decoded": f"user\n{Q}\nmodel\n",
    "deepseek": f"<｜begin▁of▁sentence｜>Be brief.<｜User｜>{Q}<｜Assistant｜><think>\n",
    "phi-3": f"<|system|>\nBe brief.<|end|>\n<|user|>\n{Q}<|end|>\n<|assistant|>\n",
    "zephyr": f"<|user|>\n{Q}</s>\n<|assistant|>\n",
    "glm": f"[gMASK]<sop><|system|>\nBe brief.<|user|>\n{Q}<|assistant|>\n<think>",
    "tulu": f"<|user|>\n{Q}\n<|assistant|>\n",
    "gpt-oss": "<|start|>system<|message|>Reasoning: low<|end|><|start|>user<|message|>"
    f"{Q}<|end|><|start|>assistant",
    "granite": f"<|start_of_role|>user<|end_of_role|>{Q}<|end_of_text|>\n"
    "<|start_of_role|>assistant<|end_of_role|>",
    "command r": f"<BOS_TOKEN><|START_OF_TURN_TOKEN|><|USER_TOKEN|>{Q}<|END_OF_TURN_TOKEN|>"
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    "kimi": f"<|im_user|>user<|im_middle|>{Q}<|im_end|><|im_assistant|>assistant<|im_middle|>",
    "human": f"Human: {Q}\n\nAssistant:",
    "human, two turns": f"Human: What is 1+1?\n\nAssistant: 2\n\nHuman: {Q}\n\nAssistant:",
    "user": f"User: {Q}\nAssistant:",
    "r1-zero": "A conversation between User and Assistant. The user asks a question, and the "
    "Assistant solves it. The reasoning process is enclosed within <think> </think> tags. "
    f"User: {Q}\nAssistant: <think>",
    "tiny-zero": "A conversation between User and Assistant. The user asks a question, and the "
    f"Assistant solves it.\nUser: {Q}\nAssistant: Let me solve this step by step.\n<think>",
    "vicuna": f"A chat between a curious user and an assistant. USER: {Q} ASSISTANT:",
    "alpaca": "Below is an instruction that describes a task. Write a response that appropriately "
    f"completes the request.\n\n### Instruction:\n{Q}\n\n### Response:\n",
    "question": f"Question: {Q}\nAnswer:",
    "few shots": f"Question: What is 1+1?\nAnswer: 2\n\nQuestion: {Q}\nAnswer:",
    "minerva": f"Problem:\nWhat is 1+1?\n\nSolution:\n2\n\nProblem:\n{Q}\n\nSolution:",
    "q and a": f"Q: {Q}\nA: Let's think step by step.",
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_rendered_prompt_is_reduced_to_its_last_user_turn(name: str) -> None:
    question = read_question(PROMPTS[name])
    assert question is not None
    assert question.text == Q
    assert question.prompt == PROMPTS[name]
    assert question.messages is None


@pytest.mark.parametrize(
    "text",
    [
        Q,
        " \n" + Q + "\n",
        "user story: what is it?",
        "The user\n\nasked the assistant\n\nwhat to do.",
        'Human: "Is it late?"\nAssistant: "Yes."\nWho answered?',
        "Question: why?",
        "def f(x):\n    return x  # assistant\n",
        "A: 1\nB: 2\nWhich is larger?",
        "[1, 2, 3]",
        '{"a": 1}',
        "[INST",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    question = read_question(text)
    assert question is not None
    assert (question.text, question.prompt) == (text, text)


SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": Q}


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ([SYSTEM, USER], [SYSTEM, USER]),
        (np.array([SYSTEM, USER], dtype=object), [SYSTEM, USER]),
        ([{"from": "system", "value": "Be brief."}, {"from": "human", "value": Q}], [SYSTEM, USER]),
        ([{"role": "HUMAN", "prompt": Q}], [USER]),
        (
            [{"role": "user", "content": [{"type": "text", "text": Q}, {"type": "image"}]}],
            [{"role": "user", "content": [{"type": "text", "text": Q}, {"type": "image"}]}],
        ),
        (
            [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}, USER],
            [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}, USER],
        ),
        ([{"id": "a1", "role": "user", "content": Q, "name": None}], [USER | {"id": "a1"}]),
        ([[SYSTEM, USER]], [SYSTEM, USER]),
        ({"messages": [USER]}, [USER]),
        ({"role": "user", "content": Q}, [USER]),
        (json.dumps([SYSTEM, USER]), [SYSTEM, USER]),
        (json.dumps({"messages": [USER]}), [USER]),
        ([USER, {"role": "assistant", "content": "Let me"}], None),
    ],
)
def test_the_last_user_message_of_a_chat_list_is_the_question(value, messages) -> None:
    question = read_question(value)
    assert question is not None
    assert (question.text, question.prompt) == (Q, "")
    if messages is not None:
        assert question.messages == messages
    json.dumps(question.messages)


def test_a_prompt_inside_one_message_is_reduced_too() -> None:
    question = read_question([{"role": "user", "content": PROMPTS["tiny-zero"]}])
    assert question is not None
    assert (question.text, question.prompt) == (Q, PROMPTS["tiny-zero"])


def test_a_system_prompt_beside_the_question_joins_the_messages() -> None:
    assert read_question(Q, "Be brief.").messages == [SYSTEM, USER]
    assert read_question([USER], "Be brief.").messages == [SYSTEM, USER]
    assert read_question([SYSTEM, USER], "Be long.").messages == [SYSTEM, USER]


@pytest.mark.parametrize(
    "value", [None, MISSING, float("nan"), "", " \n", [], [{"role": "user", "content": ""}]]
)
def test_no_question(value) -> None:
    assert read_question(value) is None


@pytest.mark.parametrize("value", [7, True, b"What?", {"a": 1}, ["What?", "Why?"], [7]])
def test_another_value_is_refused(value) -> None:
    with pytest.raises(InvalidInputError, match="expected the question as text"):
        read_question(value)


CHAT = [[SYSTEM, USER], [USER], [SYSTEM, USER], None, [USER]]


@pytest.mark.parametrize(
    "column",
    [
        CHAT,
        pa.array(CHAT),
        pa.chunked_array([pa.array(CHAT[:2]), pa.array(CHAT[2:])]),
        pa.array([[USER], *CHAT, [USER]])[1:6],
        pa.array(CHAT, pa.large_list(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    ],
)
def test_equal_values_of_a_column_are_one_question(column) -> None:
    codes, questions = read_questions(column)
    assert codes.tolist() == [0, 1, 0, -1, 1]
    assert [question.messages for question in questions] == [[SYSTEM, USER], [USER]]


TEXTS = [Q, "Why?", None, Q, "", "Why?"]


@pytest.mark.parametrize(
    "column",
    [
        [Q, "Why?", MISSING, Q, "", "Why?"],
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS).dictionary_encode(),
    ],
)
def test_texts_of_a_column(column) -> None:
    codes, questions = read_questions(column)
    assert codes.tolist() == [0, 1, -1, 0, -1, 1]
    assert [question.text for question in questions] == [Q, "Why?"]


def test_the_same_question_under_two_system_prompts_is_two_values() -> None:
    codes, questions = read_questions(
        pa.array([Q, Q, None, Q, Q]), ["Be brief.", None, "Be brief.", "Be brief.", " "]
    )
    assert codes.tolist() == [1, 0, -1, 1, 0]
    assert [question.messages for question in questions] == [None, [SYSTEM, USER]]


def test_an_odd_value_of_a_column_is_named_by_its_row() -> None:
    with pytest.raises(InvalidInputError, match="row 2 of these rows: expected the question"):
        read_questions([Q, 7])


P = "How many primes p < 10 exist?"
BOX = "\\boxed{}"
INSTRUCTED = [
    f"{P} Please reason step by step, and put your final answer within {BOX}.",
    f"{P}\nPlease reason step by step, and put your final answer within \\\\boxed{{}}.",
    f"{P}\nLet's think step by step and output the final answer within {BOX}.",
    f'{P} Let\'s think step by step and output the final answer after "####".',
    f"{P} Let's think step by step and output the final answer after `####`.",
    f"{P}\nLet’s think step by step.",
    "Solve the following math problem step by step. The last line of your response should be of "
    "the form Answer: $Answer (without quotes) where $Answer is the answer to the problem."
    f'\n\n{P}\n\nRemember to put your answer on its own line after "Answer:".',
    "Solve the following math problem step by step. The last line of your response should be of "
    'the form "ANSWER: $ANSWER" (without quotes) where $ANSWER is the answer to the problem.'
    f"\n\n{P}\n\nRemember to put your answer on its own line at the end in the form "
    '"ANSWER: $ANSWER" (without quotes) where $ANSWER is the answer to the problem, and you do '
    "not need to use a \\boxed command.\n\nReasoning:",
    f"Solve the following math problem step by step. Put your answer inside {BOX}.\n\n{P}\n\n"
    f"Remember to put your answer inside {BOX}.",
    "You must put your answer inside <answer> </answer> tags, i.e., <answer> answer here "
    "</answer>. And your final answer will be extracted automatically by the \\boxed{} tag.\n"
    f"This is the problem:\n{P}",
    "Solve the following math problem efficiently and clearly.  The last line of your response "
    "should be of the following format: 'Therefore, the final answer is: $\\boxed{{ANSWER}}$. I "
    "hope it is correct' (without quotes) where ANSWER is just the final number or expression "
    f"that solves the problem. Think step by step before answering.\n\n{P}",
    f"Question: {P}\nAnswer:",
    f"Problem:\n{P}\n\nSolution:",
    f"Q: {P}\nA:",
    f"**Problem:** {P}",
    f"{P}\nPlease provide only the final answer, without including any intermediate reasoning "
    f"steps, and put your final answer within {BOX}.",
    f"{P} You FIRST think about the reasoning process as an internal monologue and then provide "
    "the final answer. The reasoning process MUST BE enclosed within <think> </think> tags. The "
    f"final answer MUST BE put in {BOX}.",
    f"{P}\nPresent the answer in LaTex format: \\boxed{{Your answer}}",
    f"{P} /no_think",
    f"{P}\nAnswer the above questions one by one. Remember to put your final answer within {BOX}.",
    f"Please solve this math question, and put your final answer within {BOX}.\n{P}",
    f'{P}\n\nPlease reason step by step with steps separated by "\n\n", and put your final '
    f"answer within {BOX}.",
    f"Solve the following math problem. Make sure to put the answer (and only answer) inside "
    f"{BOX}.\n\n{P}",
    f"Solve this math problem. Give the final answer in {BOX}.\n{P}",
    f"Solve the following math problem step by step. Show your work and provide the final answer "
    f"in {BOX} format at the very end.\n\nProblem: {P}\n\nAnswer:",
    "Solve the following math problem. Reason step by step. Each reasoning step should be on its "
    "own line, separated by a blank line. After all reasoning, write the final answer on its own "
    f'line as "Answer: <number>".\n\n{P}',
    f"{P}\nOutput ONLY the final answer with no extra words.",
    # Tasks of lm-evaluation-harness.
    "Given the following problem, reason and give a final answer to the problem.\n"
    f'Problem: {P}\nYour response should end with "The final answer is [answer]" where [answer] '
    "is the response to the problem.",
    "Solve the following math problem efficiently and clearly:\n\n- For simple problems (2 steps "
    "or fewer):\nProvide a concise solution with minimal explanation.\n\n- For complex problems (3 "
    "steps or more):\nUse this step-by-step format:\n\n## Step 1: [Concise description]\n[Brief "
    "explanation and calculations]\n\nRegardless of the approach, always conclude with:\n\n"
    "Therefore, the final answer is: $\\boxed{answer}$. I hope it is correct.\n\nWhere [answer] is "
    f"just the final number or expression that solves the problem.\n\nProblem: {P}",
    f"Question:\n{P}\nAnswer:\nLet's think step by step.",
    "Below is a math question. I want you to reason through the steps and then give a final "
    f"answer. Your final answer should be in {BOX}.\nQuestion: {P}",
    # Reasoning Gym's system prompts.
    "Given a problem, your task is to answer the question by thinking step-by-step in a clear and "
    "specific manner.\nOnce you have thought about the reasoning process, provide the answer in "
    "the following format:\n<answer>answer here</answer>\nDo not explain your reasoning inside "
    "the answer tags, provide only the final answer. When an example is provided, you should "
    f"strictly follow the format of the output/answer in that example.\n{P}",
    "Answer the question directly. Provide your answer between <answer> and </answer> tags. Do "
    f"not return any preamble, explanation, or reasoning.\n{P}",
]


@pytest.mark.parametrize("text", INSTRUCTED)
def test_instructions_about_the_answer_are_no_part_of_the_problem(text: str) -> None:
    assert question_key(text) == P


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("What is 1+1?", "What is 1+2?"),
        ("Find m. Give your answer as m+n.", "Find m. Give your answer as m-n."),
        ("Let x=1. Put 2x in \\boxed{}.", "Let x=1. Put 3x in \\boxed{}."),
        ("Is it odd? Express your answer as a fraction.", "Is it odd?"),
        ("Solve for x: 2x = 4", "Solve for y: 2x = 4"),
        ("Sort a b c in order.", "Sort c b a in order."),
        ("Problem 1: find it", "Problem 2: find it"),
        ("What is $\\boxed{3}$ times 2?", "What is $\\boxed{4}$ times 2?"),
    ],
)
def test_two_problems_stay_two(left: str, right: str) -> None:
    assert question_key(left) != question_key(right)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  What\u00a0is\n\n1 + 1 ?\t", "What is 1 + 1 ?"),
        ("cafe\u0301", "caf\u00e9"),
        ("Please reason step by step.", "Please reason step by step."),
        ("Question:", "Question:"),
        ("", ""),
        (
            "Find $x$ Please reason step by step, and put your final answer within \\boxed{}.",
            "Find $x$",
        ),
        ("Explain step by step how 7 is made.", "Explain step by step how 7 is made."),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert question_key(text) == key


_PIECES = st.sampled_from(
    [
        *("Please reason step by step", ", and put your final answer within \\boxed{}", ".", ":"),
        *("\n", " ", "Question:", "Answer:", "A:", "the answer", "What is 1+1?", "<think>", "$x$"),
        *(
            "Let's think step by step",
            "solve",
            "Solve the following problem",
            "\u0301",
            "i.e.",
            "e",
        ),
        *("<answer>", "</answer>", "####", "\\boxed{7}", "Find", "Problem:", "**", "You", "</s>"),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=60))
@example("Q\nPlease think step by step\nand the answer")
def test_a_key_is_its_own_key_and_a_part_of_the_question(text: str) -> None:
    key = question_key(text)
    assert question_key(key) == key
    assert key in " ".join(unicodedata.normalize("NFC", text).split())
    assert bool(key) == bool(text.strip())


@given(st.text(max_size=200))
def test_the_last_turn_is_part_of_the_prompt(text: str) -> None:
    turn = last_user_turn(text)
    assert turn is None or (turn and turn in text)


def test_hostile_prompts_take_linear_time() -> None:
    for piece in (
        "<|im_start|>user\n",
        "user\n\n",
        "Question: ",
        "\nAnswer:",
        "[INST]<<SYS>>",
        "Please ",
        "\\boxed{",
        "the answer ",
        "User: ",
        " Assistant:",
        '[{"role"',
        "\n",
    ):
        text = piece * (400_000 // len(piece))
        read_question(text)
        question_key(text)
