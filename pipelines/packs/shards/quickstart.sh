# shellcheck shell=bash disable=SC2154
# The pack's part of etc/quickstart: the four steps of shard_to_ssd, then two orders by files.

prepare() {
    mkdir -p "$demo"/{orders,shards/s2/index,locks,ssd}
    sed -e "s|/srv/orders|$demo/orders|; s|/srv/shards|$demo/shards|; s|/run/shards|$demo/locks|" \
        -e "s|ssd_dir: /ssd|ssd_dir: $demo/ssd|" pipelines/packs/shards/shards.yml \
        >"$demo/pipelines/shards.yml"
    seq 100000 >"$demo/shards/s2/docs"
    seq 5000 >"$demo/shards/s2/index/0"
    ln -sf "$musher" "$demo/shard_to_ssd"
}
show() {
    echo "bring s2         touch $demo/orders/search1.s2.start"
    echo "take it away     touch $demo/orders/search1.s2.stop"
    echo "look             $musher shard list --lockdir $demo/locks --ssddir $demo/ssd"
}

# step FLAG ID WANTED: one call, and what the lock file must hold then ("-": it is gone).
step() {
    "$demo/shard_to_ssd" "$1" -l "$demo/locks" -s "$demo/ssd" -i "$2" "$demo/shards/s2" ||
        failed "shard_to_ssd $1 -i $2"
    if [ "$3" = - ]; then
        [ ! -e "$demo/locks/s2.lock" ] || failed "the lock file outlived the last user"
        [ ! -e "$demo/ssd/s2" ] || failed "the shard outlived the last user"
    else
        [ "$(<"$demo/locks/s2.lock")" = "$3" ] || failed "the lock file holds other users"
        diff -r "$demo/shards/s2" "$demo/ssd/s2" || failed "the copy differs"
    fi
}
check() {
    wait_for 30 "the start of musher" test -e "$demo/orders/.musher/work"
    step -c instance1 instance1
    step -c instance2 $'instance1\ninstance2'
    step -r instance1 instance2
    step -r instance2 -
    echo "ok: shard_to_ssd: copied, counted twice, removed with its last user"
    touch "$demo/orders/search1.s2.start"
    wait_for 60 "the shard's way to the SSD" test -e "$demo/locks/s2.lock"
    "$musher" shard verify --lockdir "$demo/locks" --ssddir "$demo/ssd" || failed "the copy differs"
    touch "$demo/orders/search1.s2.stop"
    wait_for 60 "the shard's way off the SSD" test ! -e "$demo/locks/s2.lock"
    [ ! -e "$demo/ssd/s2" ] || failed "the shard outlived the last user"
    echo "ok: a file brought the shard, another one took it away"
}
