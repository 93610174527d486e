#!/bin/sh
# Make .venv-docs, which builds the documentation and runs its notebooks. Called by `make docs`.
set -eu
venv=.venv-docs
lock=requirements-docs.txt
wanted=$(.venv/bin/python --version; cksum <$lock)
[ "$(cat $venv/.ready 2>/dev/null || true)" = "$wanted" ] && exit 0
echo "docs: installing what builds the documentation into $venv"
rm -rf $venv
if [ -x .venv/bin/uv ]; then
    .venv/bin/uv venv -q --python .venv/bin/python $venv
    .venv/bin/uv pip install -q --python $venv/bin/python --require-hashes -r $lock
else
    .venv/bin/python -m venv $venv
    $venv/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r $lock
fi
printf '%s\n' "$wanted" >$venv/.ready
