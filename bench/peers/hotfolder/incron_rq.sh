#!/usr/bin/env bash
# incron_rq.sh FILES: incron starts `rq enqueue` for each file moved in, one RQ worker moves it to
# done/. Prints {"per_s": …}; nothing when incron or RQ is not here, or we are not root.
set -euo pipefail
files=$1
command -v incrond >/dev/null && command -v rq >/dev/null && [ "$(id -u)" = 0 ] || exit 0
dir=$(mktemp -d /tmp/musher-peer.XXXXXX)
mkdir "$dir/in" "$dir/stage" "$dir/done" "$dir/tables" "$dir/system"
pids=()
stop() {
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap stop EXIT
redis-server --port 0 --unixsocket "$dir/redis.sock" --dir "$dir" --appendonly yes \
    --appendfsync always --save '' >"$dir/redis.log" 2>&1 &
pids+=($!)
until [ -S "$dir/redis.sock" ]; do read -rt 0.05 <> <(:) || true; done
url="unix://$dir/redis.sock"
cat >"$dir/enqueue" <<SH
#!/bin/sh
exec rq enqueue --url "$url" --quiet shutil.move "$dir/in/\$1" "$dir/done/\$1" >>"$dir/enqueue.log" 2>&1
SH
chmod +x "$dir/enqueue"
echo "$dir/in IN_MOVED_TO $dir/enqueue \$#" >"$dir/system/musher-peer"
cat >"$dir/incron.conf" <<CONF
system_table_dir = $dir/system
user_table_dir = $dir/tables
lockfile_dir = $dir
lockfile_name = incrond
CONF
incrond --foreground --config="$dir/incron.conf" >"$dir/incron.log" 2>&1 &
pids+=($!)
rq worker --url "$url" --quiet >"$dir/worker.log" 2>&1 &
pids+=($!)
for ((i = 0; i < files; i++)); do head -c 4096 /dev/zero >"$dir/stage/$i"; done
read -rt 2 <> <(:) || true # incrond and the worker say nothing when they are ready
began=$(date +%s.%N)
for ((i = 0; i < files; i++)); do mv "$dir/stage/$i" "$dir/in/$i"; done
until [ "$(find "$dir/done" -type f | wc -l)" -ge "$files" ]; do
    read -rt 0.1 <> <(:) || true
    [ "$(echo "$(date +%s.%N) - $began < 240" | bc)" = 1 ] || exit 0
done
echo "{\"per_s\": $(echo "scale=3; $files / ($(date +%s.%N) - $began)" | bc)}"
