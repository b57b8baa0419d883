#!/usr/bin/env python3
"""Makes each edit of edits.toml on a copy of the project and runs the tests that must notice it.

The recorded traces come first; what they let pass goes to the engine's tables and stories. Prints a Markdown table, as
docs/mutations.md holds it. Exits 1 if an edit survives that is not among those given with --known.

    tests/mutations/run.py [--copy DIR] [--only WORDS] [--known WORDS]...
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Who is asked, in this order, by the words the table calls them.
JUDGES = [
    ("traces", ["--test", "engine_traces"]),
    ("stories", ["--test", "engine_runbook"]),
    ("rules", ["--test", "engine_rules"]),
    ("walk", ["--test", "engine_walk"]),
    ("tables", ["--lib", "engine::"]),
]


def copy_project(to):
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, files.decode().split("\0")):
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())


def caught_by(copy, environment):
    """The first judge whose tests fail; None where all pass. An edit that does not compile is a mistake of the list."""
    for name, words in JUDGES:
        command = ["cargo", "test", "--quiet", "--locked", *words]
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
        if "could not compile" in done.stderr:
            sys.exit(f"the edit does not compile:\n{done.stderr}")
        if done.returncode != 0:
            return name
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--copy", help="where the copy goes; a temporary directory without it")
    arguments.add_argument("--only", help="only edits whose description contains this")
    arguments.add_argument("--known", action="append", default=[], help="a survivor that is known")
    given = arguments.parse_args()

    edits = tomllib.loads((ROOT / "tests/mutations/edits.toml").read_text())["edit"]
    if given.only:
        edits = [edit for edit in edits if given.only in edit["what"]]
    copy = pathlib.Path(given.copy or tempfile.mkdtemp())
    copy_project(copy)
    # Compiling takes the most time: no optimisation, no debug information.
    environment = os.environ | {
        "CARGO_TARGET_DIR": str(copy / "target"),
        "CARGO_PROFILE_DEV_OPT_LEVEL": "0",
        "CARGO_PROFILE_TEST_OPT_LEVEL": "0",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_TEST_DEBUG": "0",
    }
    if (judge := caught_by(copy, environment)) is not None:
        sys.exit(f"the {judge} fail without any edit")

    print("| edit | file | caught by |\n| --- | --- | --- |")
    survivors = []
    for edit in edits:
        path = copy / edit["file"]
        text = path.read_text()
        if text.count(edit["old"]) != 1:
            sys.exit(f"{edit['what']}: the old text stands {text.count(edit['old'])} times in {edit['file']}")
        path.write_text(text.replace(edit["old"], edit["new"]))
        judge = caught_by(copy, environment)
        path.write_text(text)
        if judge is None:
            survivors.append(edit["what"])
        print(f"| {edit['what']} | `{edit['file']}` | {judge or '**nobody**'} |", flush=True)
    print(f"\n{len(edits)} edits, {len(edits) - len(survivors)} caught")
    sys.exit(any(what not in given.known for what in survivors))


if __name__ == "__main__":
    main()
