"""A wrong file is refused with every error at its line and column."""

from pathlib import Path

import pytest

from scaler.domain.errors import PolicyError
from scaler.policyfile import load


def errors(folder: Path, text: str | bytes) -> list[str]:
    """What `load` says, a line each, without the folder."""
    file = folder / "scale.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(PolicyError) as caught:
        load(file)
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


BAD = """\
version: 2
on_oom: {remedies: [retry, retyr], aproval: auto, retries: no}
limits:
  max_memory: 16
  max_price: 80 EUR/month
  max_growth: 1
  windows:
    - {days: [mon, tues], from: 22:30, to: 22:30, zone: Europe/Berlim}
    - {from: 25:00, to: 06:00}
health:
  - {tpc: x}
  - {tcp: "{address}", http: "x"}
  - command: "a && b"
headroom: 15
deadline: 15
prices: {t3 small: 5 USD/month}
targets:
  Prod:x:
    deploy: "echo 'a"
  db:
    instance: {provider: EC2, region: a, zone: b, tags: {Name: 1}}
    rehearse: yes
    deploy: *x
    rehearse: true
  z: 5
"""

SAID = """\
scale.yml:1:10: version: 2 is no version of this file that this scale reads. Write `version: 1`.
scale.yml:2:28: on_oom.remedies[1]: 'retyr' is not a remedy. Did you mean 'retry'? Choose from: retry, resize.
scale.yml:2:36: unknown key 'aproval' in on_oom. Did you mean 'approval'? Known keys: approval, remedies, retries.
scale.yml:2:60: on_oom.retries: 'no' is not a number of retries. Write a whole number from 0 to 100.
scale.yml:4:15: limits.max_memory: 16 has no unit. Write it like 16GiB or 16MiB.
scale.yml:5:14: limits.max_price: '80 EUR/month' is not a price here. Only USD is supported, the currency of the providers' price \
lists. Write it like 80, 80 USD or 80 USD/month.
scale.yml:6:15: limits.max_growth: 1 is not a growth. Write a number above 1: 4 allows four times the memory.
scale.yml:8:20: limits.windows[0].days[1]: 'tues' is not a day. Did you mean 'tue'? Choose from: mon, tue, wed, thu, fri, sat, sun.
scale.yml:8:44: the window from 22:30 to 22:30 is empty. For a whole day write from 00:00 to 24:00.
scale.yml:8:57: limits.windows[0].zone: 'Europe/Berlim' is not a time zone. Did you mean 'Europe/Berlin'? Write an IANA name like \
Europe/Berlin or UTC.
scale.yml:9:7: limits.windows[1] lacks the key 'zone'. Times need a time zone, like Europe/Berlin.
scale.yml:9:14: limits.windows[1].from: '25:00' is not a time of day. Write it like 22:30.
scale.yml:11:5: health[0]: a probe needs one of the keys tcp, http, ssh, command. Did you mean 'tcp'? Write it like \
{tcp: "{address}:22"}.
scale.yml:12:11: health[1].tcp: '{address}' is not a place to connect to. Write it in quotes, like "{address}:22".
scale.yml:12:24: unknown key 'http' in health[1]. Known keys: tcp, timeout.
scale.yml:13:14: health[2].command: no shell is run, so '&&' would be a plain word. Write [sh, -c, '…'] for a shell, or a list of words.
scale.yml:14:11: headroom: 15 could be a factor or a percentage. Write 15% for a percentage; a plain number is below 1.
scale.yml:15:11: deadline: 15 has no unit. Write it like 15s or 15m.
scale.yml:16:10: prices.t3 small: 't3 small' is not the name of an instance type, like t3.small.
scale.yml:16:20: prices.t3 small: '5 USD/month' is not a price here. It is counted by the hour. Write it like 0.0208, 0.0208 USD or \
0.0208 USD/hour.
scale.yml:18:3: targets.Prod:x names no instance. Add `instance: PROVIDER:NAME`, like ec2:eu-west-1/i-0abc.
scale.yml:18:3: targets.Prod:x: 'Prod:x' is not a target's name: lower-case letters, digits and . _ -, a letter or digit first.
scale.yml:19:13: targets.Prod:x.deploy: "echo 'a" has a quote or a backslash that nothing closes.
scale.yml:21:26: targets.db.instance.provider: 'EC2' is not a provider's name: lower-case letters and digits, like ec2.
scale.yml:21:42: targets.db.instance has both 'region' and 'zone'. Keep one of them.
scale.yml:21:64: targets.db.instance.tags.Name: 1 is not text; put it in quotes.
scale.yml:22:15: targets.db.rehearse: 'yes' is neither true nor false. Write one of them.
scale.yml:23:13: aliases (*x) are not supported. What several targets share goes to the top of the file.
scale.yml:24:5: the key 'rehearse' stands twice in targets.db, first in line 22. Keep one.
scale.yml:25:6: targets.z: 5 is not a mapping. Known keys: deadline, deploy, headroom, health, instance, instances, limits, on_oom, \
rehearse.
"""


def test_every_error_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert errors(tmp_path, BAD) == SAID.splitlines()


TOP = "deadline, headroom, health, limits, on_oom, prices, targets, version"
NOT_READABLE: list[tuple[str | bytes, str]] = [
    ("", "1:1: the file is empty. Begin with `version: 1`; `scale policy init` writes an example."),
    ("# only a comment\n", "1:1: the file is empty. Begin with `version: 1`; `scale policy init` writes an example."),
    ("~", "1:1: the file is empty. Begin with `version: 1`; `scale policy init` writes an example."),
    ("- a", f"1:1: the file: a list is not a mapping. Known keys: {TOP}."),
    ("5", f"1:1: the file: 5 is not a mapping. Known keys: {TOP}."),
    ("a: b: c", "1:5: a key is not allowed here: wrong indentation, or text with ': ' in it, which needs quotes."),
    ("a:\n\t- b", "2:1: a tab stands where YAML allows only spaces. Indent with spaces."),
    ("a\nb: 1", "2:2: a key is not allowed here: wrong indentation, or text with ': ' in it, which needs quotes."),
    ("a: 1\n'b\n", "3:1: this is not YAML: found unexpected end of stream."),
    ("a: 1\nb\nc: 1", "3:1: this line is no 'key: value', or a quote before it is not closed."),
    ("a: [1", "1:6: this is not YAML: expected ',' or ']', but got '<stream end>'."),
    (
        "[{ssh: d@{address}}]",
        "1:10: this is not YAML: expected ',' or '}', but got '{'. Put a value that holds {address} in quotes.",
    ),
    ("a: 1\n---\nb: 1", "2:1: a second document begins here. A policy file holds one."),
    ("a: &x 1\nb: &x 2", "2:4: an anchor (&name) of this name stands above. Remove both: aliases are not supported."),
    ("[" * 5000, "1:51: this is nested more than 50 deep. No policy is."),
    ("a: \x00", "1:4: a character that YAML does not allow. Is this a text file?"),
    ('"\\U00110000"', "1:4: a number or an escape like \\U here is out of range."),
    (b"\xff\xfev\x00", "1:1: the file is not UTF-8 text from here on. Save it as UTF-8."),
    (b"version: 1\nx: \xff", "2:4: the file is not UTF-8 text from here on. Save it as UTF-8."),
    (b"\x7fELF\x02\x01\x01\x00\x00", "1:1: a character that YAML does not allow. Is this a text file?"),
    (b"#" * 300_000, "1:1: the file is larger than 256 KiB. Is it a policy file?"),
]


@pytest.mark.parametrize(("text", "said"), NOT_READABLE, ids=[repr(text[:20]) for text, _ in NOT_READABLE])
def test_what_is_no_yaml_mapping_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert errors(tmp_path, text) == [f"scale.yml:{said}"]


WEB = "version: 1\ntargets:\n  web:\n    instance: local:web\n"
WRONG: list[tuple[str, str]] = [
    ("targets: {}", "1:1: the file lacks the key 'version'. Write `version: 1`."),
    ("version: true", "1:10: version: true is no version of this file that this scale reads. Write `version: 1`."),
    ("version: 1\n<<: {a: 1}", f"2:1: unknown key '<<' at the top of the file. Known keys: {TOP}."),
    ("version: 1\n? [a]\n: b", "2:3: a key in the file is not a word. Write keys as plain text."),
    ("version: !!int x", "1:10: tags like !!int are not supported. Write the value without one."),
    ("version: 1\nprices: !x {}", "2:9: tags like !x are not supported. Write the value without one."),
    ("version: 1\nlimits:\n", "2:8: limits has no value. Write one, or remove the line."),
    ("version: 1\nlimits: null\n", "2:9: limits has no value. Write one, or remove the line."),
    ("version: 1\nhealth: 5", "2:9: health: 5 is not a list. Write it like [a, b], or as lines that begin with '- '."),
    ("version: 1\ntargets: [a]", "2:10: targets: a list is not a mapping. Write lines of 'name: value'."),
    (WEB + "    instances: [local:db]", "5:5: targets.web has both 'instance' and 'instances'. Keep one of them."),
    (
        "version: 1\ntargets:\n  web: {rehearse: true}",
        "3:3: targets.web names no instance. Add `instance: PROVIDER:NAME`, like ec2:eu-west-1/i-0abc.",
    ),
    (
        "version: 1\ntargets: {web: {instances: []}}",
        "2:28: targets.web.instances is empty. Give at least one entry, or remove the line.",
    ),
    (
        "version: 1\ntargets: {web: {instance: web-1}}",
        "2:27: targets.web.instance: 'web-1' does not name an instance. Write PROVIDER:NAME, like ec2:eu-west-1/i-0abc or local:web.",
    ),
    (
        "version: 1\ntargets: {web: {instance: {provider: ec2}}}",
        "2:17: targets.web.instance lacks the key 'tags'. Without tags it would mean every instance there.",
    ),
    (
        WEB + "on_oom: {remedies: [retry, resize]}",
        "5:20: 2 remedies and retries: 1: the last would never be tried. Allow 2 retries, or name fewer remedies.",
    ),
    (
        WEB + "    on_oom: {retries: 1}\non_oom: {remedies: [retry, resize], retries: 2}",
        "6:20: 2 remedies and retries: 1: the last would never be tried. Allow 2 retries, or name fewer remedies.",
    ),
    (
        WEB + "    on_oom: {retries: 0, remedies: [resize]}",
        "5:23: retries: 0 means the deploy is never run again, so no remedy is ever tried. Remove the remedies, or allow a retry.",
    ),
    (
        WEB + "    limits: {types: {deny: [t3.*, m7i.*]}}\nlimits: {types: {allow: [t3.*]}}",
        "6:25: every pattern in 'allow' is also in 'deny', so no type is left. Remove it from one.",
    ),
    (
        WEB + "    limits: {windows: [{from: 1:00, to: 01:00, zone: UTC}]}",
        "5:41: the window from 1:00 to 01:00 is empty. For a whole day write from 00:00 to 24:00.",
    ),
    (
        WEB + "    deploy: ''",
        "5:13: targets.web.deploy: '' is not a command. Write it as text, or as a list of words (numbers in quotes).",
    ),
    (WEB + "    deploy: ['', a]", "5:13: targets.web.deploy: the first word of a command is the program to run; it is empty."),
    (
        WEB + "    deploy: [make, 5]",
        "5:13: targets.web.deploy: a list is not a command. Write it as text, or as a list of words (numbers in quotes).",
    ),
    (WEB + "deadline: 31d", "5:11: deadline: '31d' is longer than 30 days, the longest allowed."),
    (
        WEB + "deadline: 0s",
        "5:11: deadline: '0s' is not a span of time. Write it like 90s, 15m or 1h30m; it is more than nothing.",
    ),
    (
        WEB + "headroom: 301%",
        "5:11: headroom: '301%' is not a headroom. Write a percentage from 0% to 300%, or a number from 0 to below 1.",
    ),
    (
        WEB + "limits: {max_memory: lots}",
        "5:22: limits.max_memory: 'lots' is not an amount of memory. Write it like 16GiB or 512MiB.",
    ),
    (
        WEB + "limits: {max_price: 0}",
        "5:21: limits.max_price: 0 is not a price here. Write it like 80, 80 USD or 80 USD/month.",
    ),
    (
        WEB + "health: [{tcp: 'host:65536'}]",
        "5:16: health[0].tcp: 'host:65536' is not a place to connect to. Write it in quotes, like \"{address}:22\".",
    ),
    (
        WEB + "health: [{http: ftp://x}]",
        "5:17: health[0].http: 'ftp://x' is not a web address. Write it like \"http://{address}/up\" or https://example.org/up.",
    ),
    (
        WEB + "health: [{http: 'http://[::'}]",
        "5:17: health[0].http: 'http://[::' is not a web address. Write it like \"http://{address}/up\" or https://example.org/up.",
    ),
    (
        WEB + "health: [{http: 'http://x', expect: [600]}]",
        "5:38: health[0].expect[0]: 600 is not an HTTP status. Write a whole number from 100 to 599.",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG, ids=[said.split(": ", 1)[1][:60] for _, said in WRONG])
def test_each_error_is_said_once_at_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert errors(tmp_path, text) == [f"scale.yml:{said}"]


@pytest.mark.parametrize("escape", ["\\ud800", "\\0"])
def test_text_that_is_no_text_is_refused_where_it_stands(tmp_path: Path, escape: str) -> None:
    said = errors(tmp_path, WEB + f'    deploy: ["make", "{escape}"]')

    assert said == ["scale.yml:5:22: a character here is no text (a NUL or half of a surrogate pair)."]


@pytest.mark.parametrize("name", ["<x>", "<TcpSection>", "instance", "[key]", "0"])
def test_names_that_look_like_pydantics_own_marks_are_refused_like_others(tmp_path: Path, name: str) -> None:
    said = errors(tmp_path, f'version: 1\ntargets: {{"{name}": {{instance: {{provider: ec2, "{name}": 1}}, "{name}x": 1}}}}')

    assert any(f"unknown key '{name}x' in targets.{name}." in line for line in said)


def test_a_machine_without_time_zones_is_told_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaler.policyfile.calendar.available_timezones", set)

    said = errors(tmp_path, WEB + "limits: {windows: [{from: 1:00, to: 2:00, zone: Mars/Base}]}")

    assert said == [
        "scale.yml:5:49: limits.windows[0].zone: this machine has no time zones to look it up in. Install its package tzdata."
    ]


def test_a_directory_is_refused_with_the_file_to_name(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"this is a directory\. Name the file in it, like .*/scale\.yml"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["missing.yml", "nul\0.yml", "x" * 300])
def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError, match=":1:1: the file cannot be read: "):
        load(tmp_path / name)


def test_an_unreadable_file_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied")  # root may read everything, so the file's mode cannot show this

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(PolicyError, match="cannot be read: Permission denied"):
        load(tmp_path / "scale.yml")


def test_an_endless_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scale.yml").symlink_to("/dev/zero")

    with pytest.raises(PolicyError, match="larger than 256 KiB"):
        load(tmp_path / "scale.yml")
