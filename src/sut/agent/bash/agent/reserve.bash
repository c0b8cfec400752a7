# Disk space that is reserved for finish steps.

# keep_reserve: reserves space for finish steps, and for the lists of what tests left, on a disk that tests have filled. It
# takes what was lent before, or an eighth of the free space, a mebibyte at most. The data is random, so no file system can
# compress it. If there is less space, 16 KiB are given back for what is written before the reserve is lent.
keep_reserve() {
    local free room=$lent
    if [[ ! $room ]]; then
        { read -r; read -r _ _ _ free _; } < <(df -P -k -- "$v")
        room=$((free < 8192 ? free * 128 : 1048576))
    fi
    lent=
    head -c "$room" /dev/urandom >"$v/reserve" || truncate -s -16384 -- "$v/reserve"
} 2>/dev/null
lent=

# reserve free|keep: lends the reserved space, or reserves it again.
agent_reserve() {
    if [[ $1 == free ]]; then
        { lent=$(stat -c %s -- "$v/reserve") && : >"$v/reserve"; } 2>/dev/null
    else
        keep_reserve
    fi
    say ok
}
