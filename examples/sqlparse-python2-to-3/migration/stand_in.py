"""Stands in for a coding agent: reads its prompt on stdin and edits the worktree.

It can do one thing, and only when the prompt shows it the failure that it is for: since PEP 479 a generator that raises
StopIteration fails with a RuntimeError, and has to return instead. Without that it changes nothing, as an agent does
that was not told what is wrong.
"""

import pathlib
import sys

CAUSE = "generator raised StopIteration"


def main() -> None:
    prompt = sys.stdin.read()
    if CAUSE not in prompt:
        print("Nothing in the prompt says what fails; I leave everything as it is.")
        return
    repaired = 0
    for path in sorted(pathlib.Path("sqlparse").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        count = text.count("raise StopIteration")
        if count:
            path.write_text(text.replace("raise StopIteration", "return"), encoding="utf-8")
            repaired += count
    print(f"{repaired} generators return now, instead of raising StopIteration.")


main()
