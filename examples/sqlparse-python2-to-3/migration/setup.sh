#!/bin/bash
# Lays the tools of the migration into .tools/ of a fresh worktree: Python 3 with pytest and pyupgrade and, where there is
# a JDK with Maven, Jython 2.7.4 with the pytest of Python 2's time.
set -e -o pipefail
python3 -c 'import lib2to3' 2> /dev/null || {
  echo "python3 has no lib2to3 (it left Python with 3.13): use Python 3.8 to 3.12" >&2
  exit 1
}
python3 -m venv .tools/venv
.tools/venv/bin/python -m pip install --quiet --disable-pip-version-check -r migration/requirements.txt
if command -v java > /dev/null && command -v mvn > /dev/null; then
  .tools/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
    --target .tools/jython-site py==1.4.34 pytest==2.9.2
  mvn --batch-mode --quiet --no-transfer-progress dependency:copy \
    -Dartifact=org.python:jython-standalone:2.7.4 -DoutputDirectory="$PWD/.tools"
fi
