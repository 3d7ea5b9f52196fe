from __future__ import annotations

from pathlib import Path

import pytest

from kafkalab.courseware.catalogue import Catalogue, declared_exercises
from kafkalab.courseware.declaration import Exercise
from kafkalab.errors import InvalidArgument


def named(name: str) -> Exercise:
    return Exercise(name, "Do it.", ("One.", "Two."), lambda: "seen.")


def package(folder: Path, name: str, **modules: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    for module, names in modules.items():
        lines = ["from kafkalab.courseware.declaration import Exercise"]
        for number, item in enumerate(names.split()):
            lines.append(f"e{number} = Exercise({item!r}, 'Do it.', ('One.', 'Two.'), lambda: 'seen.')")
        (folder / name / f"{module}.py").write_text("\n".join(lines))


def test_exercises_are_found_by_name_and_lesson() -> None:
    catalogue = Catalogue([named("01.b"), named("01.a"), named("02.a")])
    assert catalogue.find("01.a").name == "01.a"
    assert "02.a" in catalogue
    assert "02.b" not in catalogue
    assert [item.name for item in catalogue.of_lesson("01")] == ["01.b", "01.a"]


def test_a_name_declared_twice_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="declared twice"):
        Catalogue([named("01.a"), named("01.a")])


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidArgument, match=r"did you mean 00\.first-topic"):
        Catalogue([named("00.first-topic")]).find("00.frist-topic")


def test_an_unknown_name_like_no_other_is_answered_with_where_to_look() -> None:
    with pytest.raises(InvalidArgument, match=r"progress\(\)"):
        Catalogue([]).find("zzz")


def test_all_lesson_modules_of_a_package_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "read_all", lesson_02="02.a", lesson_01="01.b 01.a", helpers="03.a")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [item.name for item in declared_exercises("read_all")] == ["01.b", "01.a", "02.a"]


def test_a_mistake_in_another_lessons_module_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "half_written", lesson_01="01.a")
    (tmp_path / "half_written" / "lesson_02.py").write_text("no_such_name")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [item.name for item in declared_exercises("half_written", lesson="01")] == ["01.a"]
    assert list(declared_exercises("half_written", lesson="03")) == []
    with pytest.raises(NameError):
        declared_exercises("half_written", lesson="02")


def test_an_exercise_in_another_lessons_module_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "misplaced", lesson_01="02.a")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidArgument, match="move it to lesson_02"):
        declared_exercises("misplaced")


def test_the_package_is_named_by_the_environment(course: Path) -> None:
    assert [item.name for item in declared_exercises()] == ["98.pair"]


def test_a_package_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_EXERCISES", "no_such_course")
    with pytest.raises(InvalidArgument, match="correct KAFKALAB_EXERCISES"):
        declared_exercises()


def test_kafkalabs_own_exercises_can_be_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKALAB_EXERCISES", raising=False)
    assert all(item.name[:2].isdigit() for item in declared_exercises())
