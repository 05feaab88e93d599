"""The layering: imports run downwards, and some things have one place only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "edged"
FILES = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}

COMPOSITION = {
    "build",
    "check",
    "cli",
    "config",
    "config_pipelines",
    "config_tables",
    "daemon",
    "demo",
    "plan",
    "runner",
    "stages",
}
NOT_FOR = {
    "sources": {*COMPOSITION, "engine", "decoders", "store", "publish", "service", "pipeline"},
    "engine": {*COMPOSITION, "sources", "decoders", "store", "publish", "service", "pipeline"},
    "decoders": {*COMPOSITION, "sources", "engine", "store", "publish", "service", "pipeline"},
    "store": {*COMPOSITION, "sources", "decoders", "publish", "service", "pipeline"},
    "publish": {*COMPOSITION, "sources", "engine", "decoders", "store", "service", "pipeline"},
    "tracking": {*COMPOSITION, "sources", "engine", "decoders", "store", "publish", "service"}
    | {"pipeline", "filter"},
    "pipeline.py": {*COMPOSITION, "sources", "store", "publish"},
    "model.py": {*COMPOSITION, "sources", "store", "publish", "pipeline"},
}


def imported(name: str, tree: ast.AST) -> Iterator[str]:
    """Modules that a file imports anywhere; those of edged as ``edged.x.y``."""
    package = ["edged", *name.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", FILES)
def test_imports_run_downwards_only(name: str) -> None:
    parts = {
        module.split(".")[1]
        for module in imported(name, ast.parse(FILES[name]))
        if module.startswith("edged.")
    }
    for place, forbidden in NOT_FOR.items():
        if name.startswith(place):
            assert not parts & forbidden


def test_the_records_know_nothing_but_each_other() -> None:
    for name, text in FILES.items():
        own = {found for found in imported(name, ast.parse(text)) if found.startswith("edged.")}
        known = all(found.startswith("edged.records.") for found in own)
        assert known or not name.startswith("records/"), name


def test_only_the_engine_knows_a_tflite_runtime() -> None:
    knowing = {name for name, text in FILES.items() if re.search("ai_edge_litert|tflite_run", text)}
    # The workshop uses the classes of the schema that come with one, and loads none for them.
    assert knowing == {"engine/runtime.py", "workshop/tables.py"}


def test_only_one_place_knows_the_quantizer() -> None:
    knowing = {name for name, text in FILES.items() if "import litert_quantizer" in text}
    knowing |= {name for name, text in FILES.items() if "from litert_quantizer" in text}
    assert knowing == {"workshop/quantizer.py"}


def test_only_the_commands_print() -> None:
    printing = {
        name
        for name, text in FILES.items()
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.stdout")
    }
    assert all(name.startswith("cli") for name in printing), printing


@pytest.mark.parametrize(
    "module",
    ["picamera2", "libcamera", "amqtt", "systemd", "pymicro_features", "matplotlib"],
)
def test_optional_parts_are_imported_only_where_they_are_used(module: str) -> None:
    for name, text in FILES.items():
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [ast.Pass()]
        assert not any(found.startswith(module) for found in imported(name, tree)), name


def test_the_daemon_uses_nothing_of_the_workshop() -> None:
    for name, text in FILES.items():
        workshop = any("edged.workshop" in module for module in imported(name, ast.parse(text)))
        assert not workshop or name.startswith(("workshop/", "cli")), name


def test_only_the_live_view_and_the_workshops_tables_need_rich() -> None:
    view = {f"watch/{name}.py" for name in ("live", "table", "terminal", "textline", "view")}
    view.add("workshop/comparing/table.py")
    for name, text in FILES.items():
        modules = set(imported(name, ast.parse(text)))
        rich = any(module.split(".")[0] == "rich" for module in modules)
        known = {module.replace(".", "/").removeprefix("edged/") + ".py" for module in modules}
        through = {found for found in known if found.rsplit("/", 1)[0] + ".py" in view}
        assert name in view or name.startswith("cli") or not (rich or through), name


def test_sqlite_is_only_imported_where_there_is_a_spool() -> None:
    code = "import sys, edged.daemon; sys.exit('sqlite3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_records_are_structs_which_a_start_makes_forty_times_faster_than_dataclasses() -> None:
    for name, text in FILES.items():
        usual = {"dataclasses", "dataclasses.dataclass"} & set(imported(name, ast.parse(text)))
        assert not usual, f"{name}: class X(msgspec.Struct, frozen=True)"
