#!/usr/bin/env bash
# Build the images `edge` and `serving` and use them as a stranger would: read-only, without privileges, over the wire.
#
#   scripts/container.sh [BUNDLE]         BUNDLE: what to serve; build/demo/raman-to-ir.lineshape unless told
#
# Needs podman, and in PYTHON (.venv/bin/python unless told) an installed Lineshape with tritonclient. BASE_IMAGE is the
# Python to build on, BUILD_OPTIONS more words for `podman build` (a package index: "--secret id=pip,src=pip.conf").
# Ends by itself; of what it makes, only pip's download cache stays.
set -euo pipefail
cd "$(dirname "$0")/.."

bundle=${1:-build/demo/raman-to-ir.lineshape}
python=${PYTHON:-.venv/bin/python}
base=${BASE_IMAGE:-python:3.11-slim}
name=lineshape-test-$$
confined=(--read-only --cap-drop all --security-opt no-new-privileges --memory 512m --pids-limit 128)
patience=60 # seconds until ready; it takes about 3

say() { printf 'container: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
image() { printf 'localhost/%s:%s' "$name" "$1"; }

clean() {
  podman rm --force --ignore --time 0 "$name" >/dev/null 2>&1 || true
  podman rmi --force "$(image edge)" "$(image serving)" >/dev/null 2>&1 || true
  rm -rf "$folder"
}

build() {
  # shellcheck disable=SC2086 # options are words
  podman build --format docker --layers=false --target "$1" --tag "$(image "$1")" --build-arg BASE_IMAGE="$base" \
    ${BUILD_OPTIONS:-} . >"$folder/build.log" 2>&1 || { cat "$folder/build.log" >&2; fail "$1 does not build"; }
  say "$1: $(($(podman image inspect --format '{{.Size}}' "$(image "$1")") / 1000000)) MB"
}

inside() { podman run --rm "${confined[@]}" --network none --volume "$folder/bundles:/bundles:ro,z" "$@"; }

check_image() {
  local tools='import os, shutil; print(os.getuid(), *filter(shutil.which, ["cc", "c++", "gcc", "g++", "clang", "ld"]))'
  [ "$(inside --entrypoint python3 "$(image "$1")" -c "$tools")" = 10001 ] || fail "$1: runs as root, or has a compiler"
}

wait_until_healthy() {
  local until=$((SECONDS + patience))
  until podman healthcheck run "$name" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$until" ] || [ "$(podman inspect --format '{{.State.Running}}' "$name")" = false ]; then
      podman logs "$name" >&2
      fail "serving: ended, or not healthy within $patience s"
    fi
    sleep 0.1
  done
}

command -v podman >/dev/null || fail "podman is not on the PATH"
[ -e "$bundle" ] || fail "$bundle: no such bundle; name one, or make it with \`make demo\`"
folder=$(mktemp -d)
trap clean EXIT
mkdir "$folder/bundles"
cp -R "$bundle" "$folder/bundles/served.lineshape"
key=$("$(dirname "$python")/lineshape" keys add "$folder/keys.toml" test)
chmod -R a+rX "$folder" # the container's user is nobody here

build edge
check_image edge
inside "$(image edge)" | grep -q 'device cpu *runs' || fail "edge: the doctor finds no working CPU"
inside "$(image edge)" bundle verify /bundles/served.lineshape

build serving
check_image serving
begin=$(date +%s%N)
podman run --detach --name "$name" "${confined[@]}" --publish 127.0.0.1::3000 --volume "$folder/bundles:/bundles:ro,z" \
  --volume "$folder/keys.toml:/keys.toml:ro,z" "$(image serving)" >/dev/null 2>&1 || fail "serving: does not start"
wait_until_healthy
say "serving: healthy $((($(date +%s%N) - begin) / 1000000)) ms after its start"
"$python" scripts/container_client.py "$(podman port "$name" 3000)" "$folder/bundles/served.lineshape" "$key"
podman stop --time 10 "$name" >/dev/null 2>&1
code=$(podman inspect --format '{{.State.ExitCode}}' "$name")
[ "$code" = 0 ] || fail "serving: SIGTERM ended it with code $code"
say "all well"
