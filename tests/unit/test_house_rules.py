"""The house rules that no linter holds; each rule is shown to find what it is there to find."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

import kafkalab

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "kafkalab"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST_MODULE = 400  # lines
# Names of hosts, with spaces for dots so that this file has none of them.
REGISTRIES = [
    name.replace(" ", ".")
    for name in (
        "pypi org",
        "pythonhosted org",
        "repo1 maven org",
        "repo maven apache org",
        "deb debian org",
        "conda anaconda org",
        "repo anaconda com",
        "registry yarnpkg com",
        "registry npmjs org",
        "quay io",
        "ghcr io",
    )
]
each_module = pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])


def kept_files() -> Iterator[tuple[Path, str]]:
    """Every text file that git has or would take, and its text."""
    # The folder may belong to somebody else, as in a container.
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in data:
            yield Path(name), data.decode("utf-8")


def registries(text: str) -> list[str]:
    return [host for host in REGISTRIES if host in text]


def places(text: str) -> list[str]:
    here = {str(ROOT), str(Path.home()), "/root/", "/wo" + "rk/"} - {"/"}
    return sorted(place for place in here if re.search(rf"(?<![\w.~}}/-]){re.escape(place)}", text))


@pytest.mark.parametrize("rule", [registries, places])
def test_no_file_names_a_registry_or_a_place_of_one_machine(rule: Callable[[str], list[str]]) -> None:
    texts = dict(kept_files())
    # This file names some in order to refuse them.
    del texts[Path("tests/unit/test_house_rules.py")]
    assert len(texts) > 50
    assert {str(path): rule(text) for path, text in texts.items() if rule(text)} == {}


def test_these_rules_find_hosts_and_places() -> None:
    assert registries(f"see https://files.{REGISTRIES[1]}/packages") == [REGISTRIES[1]]
    assert places(f"cache: {ROOT}/x") == sorted({str(ROOT), *places(str(ROOT))})
    assert places("'/root/.cache'") == places("/root/.cache") != []
    assert places("the /networking/ of examples/work/x") == []


@each_module
def test_a_module_is_not_too_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_MODULE


def function_lengths(text: str) -> list[int]:
    """Return the lines of each function's code: signature and docstring left out."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    bodies = [node.body[1:] if ast.get_docstring(node) else node.body for node in functions]
    return [(body[-1].end_lineno or 0) - body[0].lineno + 1 for body in bodies if body]


def test_functions_are_short() -> None:
    lengths = [length for path in MODULES for length in function_lengths(path.read_text(encoding="utf-8"))]
    assert len(lengths) > 100
    assert median(lengths) <= 9
    assert quantiles(lengths, n=10)[-1] <= 30


def test_the_length_of_a_function_is_that_of_its_code() -> None:
    assert function_lengths('def f():\n    """Doc."""\n    a = 1\n    return a\ndef g(): pass\n') == [2, 1]


def sleeps(text: str) -> list[int]:
    """Return the lines that sleep."""
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if _last_name(call.func) == "sleep"]


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def global_randomness(text: str) -> list[int]:
    """Return the lines that draw from Python's or numpy's hidden generator."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            own = node.func.attr in {"Random", "SystemRandom", "default_rng", "Generator", "SeedSequence"}
            if owner in {"random", "np.random", "numpy.random"} and not own:
                found.append(node.lineno)
    return found


@pytest.mark.parametrize(("rule", "excepted"), [(sleeps, {"kafkalab/waiting.py"}), (global_randomness, set())])
def test_nothing_sleeps_or_draws_unseeded(rule: Callable[[str], list[int]], excepted: set[str]) -> None:
    broken = {
        str(path): rule(text)
        for path, text in kept_files()
        if path.suffix == ".py" and str(path) not in excepted and rule(text)
    }
    assert broken == {}, "wait with kafkalab.waiting.wait_until; draw from a seeded generator"


def test_these_rules_find_sleeps_and_hidden_generators() -> None:
    assert sleeps("import time\ntime.sleep(1)\nfrom time import sleep\nsleep(2)\n") == [2, 4]
    assert sleeps("asleep(1); wait_until(x)") == []
    assert global_randomness("random.random()\nnp.random.seed(1)\nrandom.Random(1)\nnp.random.default_rng(1)") == [1, 2]


def all_of(text: str) -> list[str] | None:
    """Return the module's __all__, or None."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


def sort_key(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions: ruff's order (RUF022)."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def public_names(text: str) -> list[str]:
    body = ast.parse(text).body
    named = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [node.name for node in named if not node.name.startswith("_")]


@each_module
def test_a_module_says_what_is_public_in_order(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    names = all_of(text)
    if names is None:
        assert public_names(text) == [], "add __all__"
        return
    assert names == sorted(set(names), key=sort_key)
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert [name for name in names if not hasattr(module, name)] == []


def test_the_package_says_what_is_public() -> None:
    assert "Cluster" in kafkalab.__all__
    assert kafkalab.__all__ == sorted(set(kafkalab.__all__), key=sort_key)


def undocumented(text: str, *, members: bool = False) -> list[str]:
    """Return public functions and classes without a docstring; with members, public methods, too."""
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found += [] if ast.get_docstring(node) else [node.name]
            if members and isinstance(node, ast.ClassDef):
                found += [f"{node.name}.{name}" for name in undocumented(ast.unparse(_body_of(node)))]
    return found


def _body_of(node: ast.ClassDef) -> ast.Module:
    return ast.Module(body=node.body, type_ignores=[])


@each_module
def test_what_is_public_is_documented(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module begins with what it is for"
    assert undocumented(text) == []


def test_what_a_learner_uses_is_documented_to_the_last_method() -> None:
    modules = {getattr(kafkalab, name).__module__ for name in kafkalab.__all__ if name[0].isalpha()}
    files = [Path(str(importlib.import_module(name).__file__)) for name in modules]
    assert [name for path in files for name in undocumented(path.read_text("utf-8"), members=True)] == []


def test_this_rule_finds_what_is_undocumented() -> None:
    text = 'def f(): pass\ndef _g(): pass\nclass A:\n    "Doc."\n    def m(self): pass\n    def _n(self): pass\n'
    assert undocumented(text) == ["f"]
    assert undocumented(text, members=True) == ["f", "A.m"]


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    targets = re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE)
    # As a user types it, not as a part of the make that runs this test.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(["make"], cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    assert re.findall(r"^  make ([\w-]+) +\w.*$", done.stdout, re.MULTILINE) == targets == phony.split()


def test_the_floors_are_those_of_the_design() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    (contract,) = tools["importlinter"]["contracts"]
    floors = [name.strip(" ()") for floor in contract["layers"] for name in floor.split("|")]
    assert contract["exhaustive"]
    assert floors.index("cli") < floors.index("courseware") < floors.index("clusters") < floors.index("errors")
    assert tools["mypy"]["strict"]
    assert "ALL" in tools["ruff"]["lint"]["select"]
