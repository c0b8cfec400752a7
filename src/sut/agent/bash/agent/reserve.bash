# Room on the disk that is kept for finish steps.

# keep_reserve: room for the finish steps, and for the lists of what tests left, on a disk that these have filled: what was lent, or an
# eighth of what is free, a mebibyte at most. What it holds cannot be made smaller by any file system. Where there is less, something is
# left for what is written before.
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

# reserve free|keep: lends that room, or takes it again.
agent_reserve() {
    if [[ $1 == free ]]; then
        { lent=$(stat -c %s -- "$v/reserve") && : >"$v/reserve"; } 2>/dev/null
    else
        keep_reserve
    fi
    say ok
}
