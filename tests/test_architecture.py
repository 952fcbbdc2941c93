"""The layers of docs/architecture.md, enforced: allowed imports, size limits, purity, no prints, no globals."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sensor"

LAYER = {
    "errors": 0, "model": 1,
    "capture": 2, "decode": 2, "flow": 2, "proto": 2, "outputs": 2, "metrics": 2, "xen": 2,
    "rules": 3, "analyst": 3, "detect": 4, "alert": 4, "config": 5, "engine": 6, "cli": 7,
}  # fmt: skip
WITHIN_DETECT = ("", "packets", "headers", "state", "regex", "scan", "evaluator", "prefilter", "planning")
"""Packages of detect, each importing only those before it; the modules beside them come first."""
RUNNING = {"live": set(), "doctor": {"live"}, "crew": {"live"}}
"""Packages of the engine that only a running sensor needs → which of them each may import. The way of packets, all
other packages and modules, loads none of them but `crew.wire`, which holds plain values."""
PURE = ("model", "decode", "flow", "proto", "detect", "alert")
IMPURE_MODULES = {
    "socket",
    "time",
    "subprocess",
    "threading",
    "multiprocessing",
    "asyncio",
    "urllib",
    "requests",
    "random",
}
BROAD_EXCEPT = {
    "sensor/engine/apps.py": "one flow's parser",
    "sensor/engine/judge.py": "one rule",
    "sensor/decode/dpkt_view.py": "one packet",
    "sensor/engine/records/sinks.py": "one sink",
    "sensor/outputs/courier.py": "one sink",
}
"""The isolation points: file → what is isolated."""


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py"))


def package_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imports(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.fixture(scope="module")
def trees():
    """Module → all nodes of its syntax tree: to walk it takes as long as to parse it, and each test looks at all."""
    return {p: list(ast.walk(ast.parse(p.read_text(), str(p)))) for p in modules()}


def test_imports_point_down(trees):
    wrong = []
    for path, nodes in trees.items():
        mine = package_of(path)
        if mine in {"__init__", "__main__"}:
            continue
        for name in imports(nodes):
            if not name.startswith("sensor."):
                continue
            other = name.split(".")[1]
            if other == mine:
                continue
            if (
                mine == "config"
                and LAYER[other] >= 2
                and ".limits" not in name
                and name not in {"sensor.rules.yamlio", "sensor.rules.problems"}
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}: config reads only limits")
            elif LAYER[other] >= LAYER[mine]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def within(trees, layer):
    """Yield each import of one module of a layer by another: path, package, package and module that it imports."""
    for path, nodes in trees.items():
        parts = path.relative_to(PACKAGE).parts
        if parts[0] != layer:
            continue
        for name in imports(nodes):
            if name.startswith(f"sensor.{layer}."):
                other = name.split(".", 2)[2]
                yield path, parts[1] if len(parts) > 2 else "", other


def folders_of(layer):
    return {p.parent.name for p in (PACKAGE / layer).glob("*/__init__.py")}


def test_packages_of_detect(trees):
    assert folders_of("detect") == set(WITHIN_DETECT) - {""}
    place = {package: n for n, package in enumerate(WITHIN_DETECT)}
    wrong = [
        f"{path.relative_to(ROOT)} imports sensor.detect.{other}"
        for path, mine, other in within(trees, "detect")
        if place.get(other.split(".")[0], 0) > place[mine]
    ]
    assert not wrong, "\n".join(wrong)


def test_packages_of_the_engine(trees):
    assert set(RUNNING) <= folders_of("engine")
    wrong = [
        f"{path.relative_to(ROOT)} imports sensor.engine.{other}"
        for path, mine, other in within(trees, "engine")
        if (package := other.split(".")[0]) in RUNNING
        and package != mine
        and package not in RUNNING.get(mine, set())
        and (mine in RUNNING or other != "crew.wire")
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles(trees):
    graph = {}
    for path, nodes in trees.items():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {i for i in imports(nodes) if i.startswith("sensor")}
    state = {}

    def visit(name, trail):
        if state.get(name) == "done" or name not in graph:
            return
        assert state.get(name) != "open", " -> ".join([*trail, name])
        state[name] = "open"
        for other in graph[name]:
            visit(other, [*trail, name])
        state[name] = "done"

    for name in graph:
        visit(name, [])


def test_pure_stages_do_no_io(trees):
    wrong = []
    for path, nodes in trees.items():
        if package_of(path) not in PURE:
            continue
        wrong += [f"{path.relative_to(ROOT)} imports {n}" for n in imports(nodes) if n.split(".")[0] in IMPURE_MODULES]
        wrong += [
            f"{path.relative_to(ROOT)}:{n.lineno} opens a file"
            for n in nodes
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "open"
        ]
    assert not wrong, "\n".join(wrong)


def test_sizes(trees):
    for path in trees:
        lines = path.read_text().count("\n")
        assert lines <= 800, f"{path.relative_to(ROOT)} has {lines} lines"


def test_sizes_of_functions(trees):
    """A kernel may be longer: what is called costs more than what stands there."""
    for path, nodes in trees.items():
        most = 120 if path.name.startswith("kernels") else 60
        for node in nodes:
            if isinstance(node, ast.FunctionDef):
                lines = node.end_lineno - node.lineno + 1
                assert lines <= most, f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"


def test_no_globals_no_prints_no_broad_except(trees):
    wrong = []
    for path, nodes in trees.items():
        rel = str(path.relative_to(ROOT))
        for node in nodes:
            if isinstance(node, ast.Global):
                wrong.append(f"{rel}:{node.lineno} global")
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "print"
                and "cli/" not in rel
            ):
                wrong.append(f"{rel}:{node.lineno} print")
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or (
                    isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
                )
                if broad and rel not in BROAD_EXCEPT:
                    wrong.append(f"{rel}:{node.lineno} broad except")
    assert not wrong, "\n".join(wrong)
