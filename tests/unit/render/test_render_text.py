"""What a person reads, compared whole."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from scaler.domain.choice import Considered, Refusal
from scaler.domain.instance import InstanceId, InstanceState, TagKey
from scaler.domain.outcome import Outcome
from scaler.domain.rules import Cause
from scaler.render import text
from tests.unit.render.samples import BUSY, DEPLOY, DIAGNOSIS, LARGE, NEED, OPERATION, PASSED, PLAN, WEB, offering


def whole(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


PLAN_TEXT = """\
web-1 (ec2:eu-west-1/i-0abc): t3.small (2 GiB, 2 vCPU, 15.18 USD/month), running, eu-west-1a
needs: 4 GiB (50% sure)
       2 GiB  known to be too little (killed)
       2 GiB  growth (prior)
types that fit, best first:
  t3.medium      4 GiB    2 vCPU  30.37 USD/month (+15.18)
  t3.large       8 GiB    2 vCPU  60.74 USD/month (+45.55)
plan: resize t3.small -> t3.medium (4 GiB, 2 vCPU, 30.37 USD/month), +15.18 USD/month; AWS price list, 2026-11-20
  1. write the intent on web-1
  2. stop web-1
  expected downtime: 1 min 15 s
  if it cannot be started: t3.large, then back to t3.small
  mind [no_elastic_ip]: its public address will change
"""

DIAGNOSIS_TEXT = """\
cause: the instance ran out of memory (instance_memory, 99% sure)
  - [counters] the kernel's counter says it killed one process for want of memory while the deploy ran
  - [kernel, line 8] the kernel ran out of the instance's memory and killed webpack (pid 14956), which held 1.2 GiB
  - [output, line 7] “Killed”: a process was killed by signal 9: by the kernel for want of memory, or by someone
  - [exit_code] it ended with 1
  memory at the kill, of 1.9 GiB:
       1.2 GiB  webpack
        82 MiB  postgres  (resident)
advice: Give the instance more memory (`scale up`), or let the deploy need less of it.
"""

STATUS_TEXT = """\
web-1 (ec2:eu-west-1/i-0abc): t3.small, running, eu-west-1a, x86_64, checks ok
  address: 198.51.100.7
  being changed from t3.small to t3.medium (forward) by ci-7:4711 since 2026-11-23 21:30:00 UTC
  its lease ends 2026-11-23 21:30:15 UTC; after that `scale resume ec2:eu-west-1/i-0abc` finishes it
  deploy 2026-11-23 21:30 UTC: passed, with 4 GiB, peak 1.5 GiB
  deploy 2026-11-22 21:30 UTC: killed, needed more, with 2 GiB
"""

HISTORY_TEXT = """\
2026-11-23 21:30:00  deploy     ec2:eu-west-1/i-0abc t3.small: exit 137, instance_memory, 1 min 1 s, peak 2 GiB  $ cap production deploy
2026-11-23 21:30:00  deploy     production: passed, 1 h 2 min  $ cap production deploy
2026-11-23 21:30:00  operation  ec2:eu-west-1/i-0abc is now t3.medium (was t3.small); took 1 min 35 s, down for 1 min 12 s
"""


def test_a_plan_reads_from_what_is_to_what_will_be_done() -> None:
    assert whole(text.plan(PLAN)) == PLAN_TEXT


def test_a_diagnosis_reads_from_the_cause_to_what_helps() -> None:
    assert whole(text.diagnosis(DIAGNOSIS)) == DIAGNOSIS_TEXT


def test_a_status_tells_what_it_is_what_is_done_to_it_and_what_it_went_through() -> None:
    assert whole(text.status(BUSY)) == STATUS_TEXT


def test_history_tells_one_line_each() -> None:
    assert whole(text.history([DEPLOY, PASSED], [OPERATION])) == HISTORY_TEXT


def test_an_empty_history_says_that_it_is_empty() -> None:
    assert whole(text.history([], [])) == "nothing is recorded on this machine yet\n"


@pytest.mark.parametrize(
    ("outcome", "hint", "words"),
    [
        (
            Outcome.DONE,
            "",
            "ec2:eu-west-1/i-0abc is now t3.medium (was t3.small); took 1 min 35 s, down for 1 min 12 s\n",
        ),
        (
            Outcome.ROLLED_BACK,
            "t3.medium has no capacity.",
            "ec2:eu-west-1/i-0abc is back on t3.medium, as it was; took 1 min 35 s, down for 1 min 12 s\n  t3.medium has no capacity.\n",
        ),
        (
            Outcome.REFUSED,
            "",
            "ec2:eu-west-1/i-0abc was not changed, it is t3.medium; took 1 min 35 s, down for 1 min 12 s\n",
        ),
        (Outcome.UNCHANGED, "", "ec2:eu-west-1/i-0abc is t3.medium, unchanged; took 1 min 35 s, down for 1 min 12 s\n"),
        (
            Outcome.NEEDS_ATTENTION,
            "Go on with: scale resume ec2:eu-west-1/i-0abc",
            (
                "ec2:eu-west-1/i-0abc needs a person; took 1 min 35 s, down for 1 min 12 s\n"
                "  Go on with: scale resume ec2:eu-west-1/i-0abc\n"
            ),
        ),
    ],
)
def test_an_operation_reads_as_how_it_ended(outcome: Outcome, hint: str, words: str) -> None:
    assert whole(text.operation(replace(OPERATION, outcome=outcome, hint=hint))) == words


def test_a_plan_without_a_remedy_says_why_and_that_nothing_is_changed() -> None:
    nothing = replace(PLAN, remedy=None, chosen=None, considered=(), refused=(Refusal("outside_windows", "not now"),))

    assert whole(text.plan(nothing)).endswith("refused [outside_windows]: not now\nplan: none; nothing will be changed\n")
    assert "types" not in whole(text.plan(nothing))


def test_all_types_are_shown_with_what_stands_against_them() -> None:
    words = whole(text.plan(PLAN, show_all=True))

    assert "types, all:\n" in words
    assert (
        "  r7i.xlarge     32 GiB    4 vCPU  193.16 USD/month (+177.97)  no: limits.max_memory is 16 GiB; r7i.xlarge has 32 GiB\n"
        in words
    )


def test_more_types_than_can_be_read_are_counted() -> None:
    many = tuple(Considered(offering(f"m7i.{number}xlarge", 4096 * number, 4, None), fits=True) for number in range(1, 13))

    words = whole(text.plan(replace(PLAN, considered=many)))

    assert "m7i.8xlarge" in words
    assert "m7i.9xlarge" not in words
    assert "  and 4 more (scale plan --all)\n" in words
    assert "vCPU  price unknown\n" in words


def test_an_unknown_price_is_never_made_up() -> None:
    words = whole(text.plan(replace(PLAN, chosen=replace(LARGE, usd_per_hour=None), considered=(), fallbacks=())))

    assert "plan: resize t3.small -> t3.large (8 GiB, 2 vCPU, price unknown)\n" in words
    assert "if it cannot be started" not in words


def test_a_need_of_which_nothing_is_known_says_so() -> None:
    assert next(text.need(replace(NEED, confidence=0.0))) == "needs: 4 GiB (nothing is known of the need; this is what it has)"


def test_every_cause_has_its_words() -> None:
    words = {next(text.diagnosis(replace(DIAGNOSIS, cause=cause))) for cause in Cause}

    assert len(words) == len(Cause)


def test_only_the_largest_residents_are_shown() -> None:
    assert DIAGNOSIS.memory is not None
    crowd = tuple(replace(DIAGNOSIS.memory.resident[0], name=f"p{number}") for number in range(9))

    words = whole(text.diagnosis(replace(DIAGNOSIS, memory=replace(DIAGNOSIS.memory, resident=crowd))))

    assert "p5" in words
    assert "p6" not in words


def test_an_instance_that_does_not_run_has_no_address_line() -> None:
    stopped = replace(WEB, state=InstanceState.STOPPED, public_address=None, private_address=None)

    assert whole(text.status(stopped)) == "web-1 (ec2:eu-west-1/i-0abc): t3.small, stopped, eu-west-1a, x86_64, checks ok\n"


def test_an_intent_of_another_version_is_shown_as_it_is() -> None:
    words = whole(text.status(replace(WEB, records={TagKey.INTENT: "v9 of another time"})))

    assert words.endswith("  carries an intent this version cannot read: v9 of another time\n")


@pytest.mark.parametrize(
    ("name", "instance_id", "first"),
    [
        ("web", "local:web", "local:web: "),
        ("i-0abc", "ec2:eu-west-1/i-0abc", "ec2:eu-west-1/i-0abc: "),
        ("web", "local:web-2", "web (local:web-2): "),
    ],
)
def test_a_name_that_the_id_ends_with_is_not_said_twice(name: str, instance_id: str, first: str) -> None:
    assert next(text.status(replace(WEB, name=name, id=InstanceId(instance_id)))).startswith(first)
