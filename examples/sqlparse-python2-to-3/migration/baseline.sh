#!/bin/bash
# usage: baseline.sh REPORT
# Runs sqlparse's tests on Python 2, which is Jython here. Where there is no JDK, the report of such a run takes its place.
set -e -o pipefail
jython=.tools/jython-standalone-2.7.4.jar
if [ ! -e "$jython" ]; then
  echo "no JDK with Maven here: taking the recorded report of Jython 2.7.4"
  cp migration/baseline-jython-2.7.4.xml "$1"
  exit
fi
JYTHONPATH=.tools/jython-site JYTHONDONTWRITEBYTECODE=1 \
  java -Dpython.cachedir="$PWD/.tools/jython-cache" -jar "$jython" -m pytest -q --junitxml="$1" tests
