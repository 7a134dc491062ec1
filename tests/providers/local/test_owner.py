import os
import subprocess

from scaler_providers.local import owner


def test_the_name_of_a_living_owner_is_not_orphaned() -> None:
    assert not owner.is_orphaned(owner.directory_name("web", borrowed=False))


def test_the_name_of_a_dead_owner_is_orphaned() -> None:
    with subprocess.Popen(["true"]) as process:
        pass

    name = owner.directory_name("web", borrowed=False).replace(f"-{os.getpid()}-", f"-{process.pid}-")

    assert owner.is_orphaned(name)


def test_a_process_that_got_the_pid_of_a_dead_owner_is_not_taken_for_it() -> None:
    parts = owner.directory_name("web", borrowed=False).split("-")
    parts[3] = str(int(parts[3]) - 1)

    assert owner.is_orphaned("-".join(parts))


def test_an_owner_in_another_pid_namespace_counts_as_alive() -> None:
    parts = owner.directory_name("web", borrowed=False).split("-")
    parts[2:5] = ["999999999", "1", "1"]

    assert not owner.is_orphaned("-".join(parts))


def test_what_scale_did_not_make_is_never_orphaned() -> None:
    assert not owner.is_orphaned("scale-web")
    assert not owner.is_orphaned("user.slice")


def test_no_two_names_are_alike_and_labels_cannot_leave_the_directory() -> None:
    names = {owner.directory_name("../../a b-c" * 20, borrowed=False) for _ in range(10)}

    assert len(names) == 10
    assert all("/" not in name and len(name) < 120 and not owner.is_orphaned(name) for name in names)


def test_what_is_borrowed_can_be_told_from_the_name() -> None:
    assert owner.is_borrowed(owner.directory_name("web", borrowed=True))
    assert not owner.is_borrowed(owner.directory_name("web", borrowed=False))
