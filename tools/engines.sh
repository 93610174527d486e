#!/bin/sh
# Make .venv-spark: the site's packages, Spark's and ClickHouse's, for `make test-engines`. Called by `make engines`; a
# second run takes a moment. What can't be had here is named and left out: its tests skip, and fail in CI.
set -eu
venv=.venv-spark
locks="requirements.txt requirements-dev.txt requirements-spark.txt requirements-clickhouse.txt tests/engines/requirements.txt"

wanted=$(.venv/bin/python --version; cksum $locks)
if [ "$(cat $venv/.ready 2>/dev/null || true)" != "$wanted" ]; then
    echo "engines: installing Spark and ClickHouse into $venv (about 1 GB the first time)"
    rm -rf $venv
    set --
    for lock in $locks; do set -- "$@" -r "$lock"; done
    if [ -x .venv/bin/uv ]; then
        install() { .venv/bin/uv venv -q --python .venv/bin/python $venv && .venv/bin/uv pip install -q --python $venv/bin/python --require-hashes "$@"; }
    else
        install() { .venv/bin/python -m venv $venv && $venv/bin/python -m pip --disable-pip-version-check -q install --require-hashes "$@"; }
    fi
    if install "$@"; then
        printf '%s\n' "$wanted" >$venv/.ready
    else
        echo "engines: Spark and ClickHouse can't be had here" >&2
        rm -rf $venv
    fi
fi
command -v java >/dev/null || echo "engines: no Java here; Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)" >&2
