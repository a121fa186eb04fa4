#!/usr/bin/env bash
# watchman.sh FILES: a watchman trigger moves what comes in to done/. Prints {"per_s": …}; nothing
# when watchman is not here.
set -euo pipefail
files=$1
command -v watchman >/dev/null || exit 0
dir=$(mktemp -d /tmp/musher-peer.XXXXXX)
mkdir "$dir/in" "$dir/stage" "$dir/done" "$dir/state"
watch() { watchman --sockname="$dir/sock" --statefile="$dir/state/s" --logfile="$dir/log" "$@"; }
stop() {
    watch shutdown-server >/dev/null 2>&1 || true
    rm -rf "$dir"
}
trap stop EXIT
for ((i = 0; i < files; i++)); do head -c 4096 /dev/zero >"$dir/stage/$i"; done
watch watch "$dir/in" >/dev/null
watch -- trigger "$dir/in" move '*' -- sh -c 'for f; do [ -e "$f" ] && mv "$f" ../done/; done' sh >/dev/null
began=$(date +%s.%N)
for ((i = 0; i < files; i++)); do mv "$dir/stage/$i" "$dir/in/$i"; done
until [ "$(find "$dir/done" -type f | wc -l)" -ge "$files" ]; do
    read -rt 0.1 <> <(:) || true
    [ "$(echo "$(date +%s.%N) - $began < 120" | bc)" = 1 ] || exit 0
done
echo "{\"per_s\": $(echo "scale=3; $files / ($(date +%s.%N) - $began)" | bc)}"
