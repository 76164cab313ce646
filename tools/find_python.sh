#!/bin/sh
# Prints a Python on PATH that is 3.11 or later and can make a virtual environment: the oldest such one, since the
# pinned versions were chosen with it.
set -eu
for name in python3.11 python3.12 python3.13 python3.14 python3 python; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        command -v "$name"
        exit 0
    fi
done
echo "appfleet needs Python 3.11 or later on PATH, with its venv module" >&2
exit 1
