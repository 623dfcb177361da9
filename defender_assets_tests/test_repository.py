"""The files for forge, editor and git are valid and agree with the project; no file has the address of a package."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types

ROOT = Path(__file__).parents[1]
FORGE = ROOT / ".github"
FORMS = sorted(set((FORGE / "ISSUE_TEMPLATE").glob("*.yml")) - {FORGE / "ISSUE_TEMPLATE" / "config.yml"})
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Homepage"]
TOP = {
    ".ci",
    ".editorconfig",
    ".env.example",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "benchmarks",
    "dagster.yaml",
    "defender_assets",
    "defender_assets_tests",
    "deploy",
    "docs",
    "pyproject.toml",
    "requirements.txt",
    "workspace.yaml",
}


def committed() -> list[Path]:
    """The files in git's index and in the working tree; the tree may belong to another user, as in a container."""
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [path for path in (ROOT / name for name in done.stdout.split("\0")[:-1]) if path.is_file()]


def loaded(path: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return content


def test_the_root_has_the_expected_entries() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in committed()} == TOP


def test_no_lock_file_is_committed() -> None:
    lock = re.compile(r"\.lock$|[-.]lock\.|^pylock", re.IGNORECASE)
    assert [path for path in committed() if lock.search(path.name)] == []


@pytest.mark.parametrize("folder", ["defender_assets_tests/support/azurite", "docs/site"])
def test_packages_of_npm_are_pinned_by_hash_without_an_address(folder: str) -> None:
    text = (ROOT / folder / "npm-shrinkwrap.json").read_text()
    lock, wanted = json.loads(text), json.loads((ROOT / folder / "package.json").read_text())
    root, packages = lock["packages"].pop(""), lock["packages"]
    assert "://" not in text
    assert root["dependencies"] == wanted["dependencies"]
    assert all(packages[f"node_modules/{name}"]["version"] == version for name, version in root["dependencies"].items())
    assert packages
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package


def test_no_file_contains_the_address_of_a_package_or_an_index() -> None:
    address = re.compile(rb"://[^\s\"'<>)]+(?:\.whl|\.tgz|\.tar\.gz|/simple)(?![\w.])")
    found = {path.relative_to(ROOT).as_posix(): address.findall(path.read_bytes()) for path in committed()}
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


def test_requirements_contain_only_versions_and_hashes() -> None:
    requirements = [ROOT / "requirements.txt", ROOT / "deploy" / "requirements.txt", ROOT / "benchmarks" / "rivals.txt"]
    line = re.compile(
        r"[\w.-]+(?:\[[\w, -]+\])?==[\w.!+]+(?: ; [^:]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?|#[^:]*"
    )
    for path in requirements:
        assert [each for each in path.read_text().splitlines() if not line.fullmatch(each)] == [], path


def test_every_text_file_follows_the_editor_configuration() -> None:
    def problems(path: Path) -> list[str]:
        text = path.read_bytes().decode()
        return [
            name
            for name, found in {
                "carriage return": "\r" in text,
                "no newline at the end": bool(text) and not text.endswith("\n"),
                "blanks at the end of a line": re.search(r"[ \t]$", text, re.MULTILINE) is not None,
                "tab": "\t" in text and path.name != "Makefile",
            }.items()
            if found
        ]

    lakes, binary = ROOT / "defender_assets_tests" / "lakes", {".parquet", ".png", ".zip"}
    texts = [p for p in committed() if p.suffix not in binary and not (p.is_relative_to(lakes) and p.suffix == ".json")]
    assert {path.relative_to(ROOT).as_posix(): found for path in texts if (found := problems(path))} == {}


def test_the_workflow_checks_every_python_of_the_project() -> None:
    (job,) = loaded(FORGE / "workflows" / "ci.yml")["jobs"].values()
    pythons = [each.split(" :: ")[-1] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert job["strategy"]["matrix"]["python"] == pythons
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == [f"make {target} PYTHON=python${{{{ matrix.python }}}}" for target in ("lint", "test")]


def test_workflows_use_only_actions_of_the_forge_and_only_read() -> None:
    for path in (FORGE / "workflows").iterdir():
        workflow = loaded(path)
        assert workflow["permissions"] == {"contents": "read"}
        used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
        assert used, path
        assert [action for action in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", action)] == []


def test_dependabot_checks_directories_with_files_to_update() -> None:
    files = {"pip": "*.txt", "docker": "Dockerfile", "github-actions": ".github/workflows/*.yml"}
    updates = loaded(FORGE / "dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == set(files)
    for update in updates:
        for directory in update.get("directories") or [update["directory"]]:
            assert list((ROOT / directory.lstrip("/")).glob(files[update["package-ecosystem"]])), directory


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_valid_for_the_forge(form: Path) -> None:
    content = loaded(form)
    assert set(content) == {"name", "description", "labels", "body"}
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in content["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_every_address_of_the_repository_is_the_same() -> None:
    assert all(url.startswith(REPOSITORY) for url in PROJECT["urls"].values())
    (contact,) = loaded(FORGE / "ISSUE_TEMPLATE" / "config.yml")["contact_links"]
    assert contact["url"] == f"{REPOSITORY}/security/advisories/new"


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("Read a blob once\n\nthe body may say anything, at any length." + "." * 80, None),
        ("# a comment of git\n\nRead a blob once\n# another", None),
        ("R" * 72, None),
        ("fixup! Read a blob once", None),
        ('Revert "' + "R" * 72 + '"', None),
        ("R" * 73, "has 73 characters: shorten it to at most 72"),
        ("read a blob once", "does not begin with a capital letter"),
        ("Read a blob once.", "ends with a period"),
        ("# nothing but a comment\n", "is empty"),
    ],
)
def test_a_commit_subject_is_checked(tmp_path: Path, message: str, complaint: str | None) -> None:
    (tmp_path / "message").write_text(message)
    command = [sys.executable, str(ROOT / ".ci" / "check_commit_subject.py"), str(tmp_path / "message")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (complaint is not None)
    assert (complaint or "") in done.stderr
    assert bool(done.stderr) == bool(complaint)


def test_commits_run_the_check_of_the_subject_and_no_other_hook_checks_messages() -> None:
    configuration = loaded(ROOT / ".pre-commit-config.yaml")
    assert configuration["default_install_hook_types"] == ["pre-commit", "commit-msg"]
    assert configuration["default_stages"] == ["pre-commit"]
    staged = {hook["id"]: hook["stages"] for hook in configuration["repos"][0]["hooks"] if "stages" in hook}
    assert staged == {"commit-subject": ["commit-msg"]}


def test_dg_finds_the_definitions() -> None:
    dg = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]
    (location,) = [each["python_module"] for each in loaded(ROOT / "workspace.yaml")["load_from"]]
    assert dg["project"]["code_location_target_module"] == location["module_name"]
    assert dg["project"]["code_location_name"] == location["location_name"]
