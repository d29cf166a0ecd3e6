"""Both scenario languages: what they say, and what is said of files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from portcullis.tools.conform import corpus, def_reader, scenario_reader
from portcullis.tools.conform.scenario import ABSENT, ScenarioError, Timing, Verb
from portcullis.tools.conform.values import LENGTH_MARK, SUM_MARK
from tests.support.conformance import conform


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


# --- QuickFIX's ----------------------------------------------------------------------------------


def test_quickfix_lines_become_steps_on_numbered_connections(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "1b_DuplicateIdentity.def",
        "# Says what it is\n\niCONNECT\ni2,CONNECT\n"
        "I2,8=FIX.4.4\x0135=A\x0149=TW\x0156=ISLD\x01\nE8=FIX.4.4\x0135=5\x01\ne2,DISCONNECT\n",
    )
    scenario = def_reader.read(path, "mine")
    assert [(step.verb, step.client, step.line) for step in scenario.steps] == [
        (Verb.CONNECT, "1", 3),
        (Verb.CONNECT, "2", 4),
        (Verb.RAW, "2", 5),
        (Verb.EXPECT, "1", 6),
        (Verb.CLOSED, "2", 7),
    ]
    assert (scenario.rule, scenario.quickfix_cases) == ("Says what it is", ("1b",))
    assert scenario.identity == "ISLD/TW"


@pytest.mark.parametrize(
    ("sent", "completed"),
    [
        ("8=FIX.4.4|35=0|", f"8=FIX.4.4|9={LENGTH_MARK}|35=0|10={SUM_MARK}|"),
        ("8=FIX.4.4|9=5|35=0|", f"8=FIX.4.4|9=5|35=0|10={SUM_MARK}|"),
        ("8=FIX.4.4|9=5|35=0|10=0|", "8=FIX.4.4|9=5|35=0|10=0|"),
        ("35=0|garbage", "35=0|garbage"),
    ],
)
def test_quickfix_messages_get_what_they_leave_out(
    tmp_path: Path, sent: str, completed: str
) -> None:
    path = written(tmp_path, "a.def", "I" + sent.replace("|", "\x01") + "\n")
    assert def_reader.read(path, "mine").steps[0].argument == completed.replace("|", "\x01")


def test_a_file_of_the_scenario_is_inlined_and_no_other(tmp_path: Path) -> None:
    written(tmp_path, "body.bin", "55=X")
    path = written(tmp_path, "a.def", "I35=D\x01<FILE:body.bin>\x01\n")
    assert def_reader.read(path, "mine").steps[0].argument == "35=D\x0155=X\x01"
    path = written(tmp_path, "b.def", "I35=D\x01<FILE:../../etc/passwd>\x01\n")
    with pytest.raises(ScenarioError, match="outside the folder"):
        def_reader.read(path, "mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X8=FIX.4.4\n", "begins with none of"),
        ("iSET_SESSION a NEXTSENDERSEQNUM=5\n", "unknown action iSET_SESSION"),
        ("E8=FIX.4.4 35=A\n", "needs its MsgType"),
        ("Ehello\n", "is SOH missing"),
        ("# nothing\n", "no commands in it"),
    ],
)
def test_what_is_wrong_in_a_def_file_is_said_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ScenarioError, match=said):
        def_reader.read(written(tmp_path, "a.def", text), "mine")


# --- ours ----------------------------------------------------------------------------------------

WHOLE = """
protocol fix
area Everything
define order 11={new id}|38=1|54=1

scenario first The first scenario
  fix 2.a, 2.b
  quickfix 2a_Something
  rule One sentence.
  rule And another.
  needs orders
  logon 108=1
  send NewOrderSingle @order|54=2|58=a \\| b|!38
  B: expect 8 11={id}|37={get order}|!41 ; 0.5s to 1s after ours
  let again = {order}
  silent 300ms
scenario second The second
  connect
"""


def test_our_language_is_read_whole(tmp_path: Path) -> None:
    first, second = scenario_reader.read(written(tmp_path, "a.scenario", WHOLE), "mine")
    assert (first.name, first.title, first.area) == ("first", "The first scenario", "Everything")
    assert (first.fix_cases, first.quickfix_cases) == (("2.a", "2.b"), ("2a_Something",))
    assert (first.rule, first.needs) == ("One sentence. And another.", ("orders",))
    assert first.clients == ("A", "B")
    logon, send, expect, let, silent = first.steps
    assert logon.fields == (("108", "1"),)
    assert send.message == "D"
    assert send.fields == (("11", "{new id}"), ("38", ABSENT), ("54", "2"), ("58", "a | b"))
    assert (expect.client, expect.message) == ("B", "8")
    assert expect.fields == (("11", "{id}"), ("37", "{get order}"), ("41", ABSENT))
    assert expect.timing == Timing(0.5, 1.0, "ours")
    assert (let.argument, silent.argument) == ("again = {order}", "300ms")
    assert second.steps[0].verb is Verb.CONNECT


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("jump", "unknown step 'jump': expected one of connect"),
        ("send Nonsense 1=2", "unknown message 'Nonsense'"),
        ("send NewOrderSingle 11={nobody}", r"nothing is known as \{nobody\}"),
        ("send NewOrderSingle ClOrdID=7", "'ClOrdID' is no tag"),
        ("send NewOrderSingle 11", "'11' is no field"),
        ("send NewOrderSingle @order", "nothing is defined as @order"),
        ("silent soon", "'soon' is no duration"),
        ("and Logon", "follows an `expect`"),
        ("connect now", "connect takes nothing behind it"),
        ("let 1x", "expected `let NAME = VALUE`"),
        ("raw {fill many Z}", r"nothing is known as \{fill many Z\}"),
        ("raw {now+99999999h}", r"nothing is known as \{now\+99999999h\}"),
        ("raw 8=€|", "'€' is no single byte: write its bytes as"),
        ("send TestRequest ²=1", "'²' is no tag"),
        ("expect Heartbeat 112=~[", "is no regular expression: unterminated character set"),
        (f"jump{'y' * 9000}", r"unknown step 'jumpy*\.\.\.$"),
        ("send NewOrderSingle 11={new}", "expected a name of your own behind `new` or `get`"),
        ("expect Logon 34={get next}", "expected a name of your own"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_said_with_its_line(
    tmp_path: Path, line: str, said: str
) -> None:
    path = written(tmp_path, "a.scenario", f"scenario one One\n  connect\n  {line}\n")
    with pytest.raises(ScenarioError, match=rf"a\.scenario:3: .*{said}"):
        scenario_reader.read(path, "mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no line begins with `scenario`"),
        ("connect\n", "before the first scenario"),
        ("protocol http\n", "expected one of fix, ouch"),
        ("scenario one\n", "expected `scenario NAME TITLE`"),
        ("scenario one One\nscenario two Two\n  connect\n", "scenario one has no steps"),
        ("scenario a A\n connect\nscenario a A\n connect\n", "a second scenario is called a"),
    ],
)
def test_a_file_that_holds_no_scenarios_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        scenario_reader.read(written(tmp_path, "a.scenario", text), "mine")


# --- corpora -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(corpus.SHIPPED))
def test_each_shipped_corpus_can_be_read_and_cites_what_it_stands_for(name: str) -> None:
    for scenario in corpus.load(name):
        assert scenario.rule, f"{scenario.path.name}:{scenario.line} names no rule"


def test_list_shows_both_numberings() -> None:
    result = conform("list", "--corpus", "fix44-session")
    assert result.exit_code == 0
    assert "2.c-too-low                        FIX 2.c, FIX 12" in result.output
    assert "QuickFIX 2c_MsgSeqNumTooLow" in result.output


@pytest.mark.parametrize("pattern", ["2.c", "2c_*", "2 Receiving messages", "2.C-TOO-LOW"])
def test_scenarios_are_chosen_by_name_area_and_case(pattern: str) -> None:
    found = corpus.chosen(corpus.load("fix44-session"), (pattern,))
    assert "2.c-too-low" in [scenario.name for scenario in found]
    assert len(found) < 60
