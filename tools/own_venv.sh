#!/bin/sh
# Make .venv-NAME out of requirements-NAME.txt, for what shall not lie beside the site's own packages: `docs` builds the
# documentation and runs its notebooks, `sbom` lists what is shipped. A second run takes a moment.
set -eu
name=$1
venv=.venv-$name
lock=requirements-$name.txt
wanted=$(.venv/bin/python --version; cksum <"$lock")
[ "$(cat "$venv/.ready" 2>/dev/null || true)" = "$wanted" ] && exit 0
echo "$name: installing $lock into $venv"
rm -rf "$venv"
if [ -x .venv/bin/uv ]; then
    .venv/bin/uv venv -q --python .venv/bin/python "$venv"
    .venv/bin/uv pip install -q --python "$venv/bin/python" --require-hashes -r "$lock"
else
    .venv/bin/python -m venv "$venv"
    "$venv/bin/python" -m pip --disable-pip-version-check -q install --require-hashes -r "$lock"
fi
printf '%s\n' "$wanted" >"$venv/.ready"
