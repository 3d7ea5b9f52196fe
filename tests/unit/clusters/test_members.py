from __future__ import annotations

from kafkalab.clusters.members import Member, MemberNames


def member(number: int, client: str = "reader", instance: str = "") -> Member:
    return Member(f"random-{number}", client, instance, ())


def test_members_of_the_same_client_id_are_numbered() -> None:
    named = MemberNames().of([member(1), member(2), member(3, "other"), member(4)])
    assert named == {"random-1": "reader", "random-2": "reader-2", "random-3": "other", "random-4": "reader-3"}


def test_a_member_keeps_its_name_while_others_come_and_go() -> None:
    names = MemberNames()
    names.of([member(1), member(2)])
    assert names.of([member(2)]) == {"random-2": "reader-2"}
    assert names.of([member(2), member(3)]) == {"random-2": "reader-2", "random-3": "reader"}


def test_a_static_member_goes_by_its_instance_id() -> None:
    names = MemberNames()
    assert names.of([member(1, instance="till-1")]) == {"random-1": "till-1"}
    assert names.of([member(2, instance="till-1")]) == {"random-2": "till-1"}, "restarted: a new id, the same name"


def test_no_name_is_given_twice() -> None:
    named = MemberNames().of([member(1), member(2, "reader-2"), member(3)])
    assert sorted(named.values()) == ["reader", "reader-2", "reader-3"]
