# Mounts below what is ours on the machine, the trees above all: nothing is changed below a mount point, and what a test left
# mounted is unmounted.

# mount_type: cuts `fields`, a line of the kernel's list of mounts, so that it begins with its dash; the type and the source
# follow.
mount_type() {
    fields=("${fields[@]:6}")
    while [[ ${fields[0]:-} && ${fields[0]} != - ]]; do fields=("${fields[@]:1}"); done
}

# read_mounts DIR: puts the mount points at and below a directory into `mounts`, in the order in which they were mounted, and
# for each its number into `marks` and its type into `kinds`. Only the kernel's list is read: it has bind mounts of the same
# device too, and a mounted file system may no longer answer. A list that cannot be read counts as a mount everywhere.
read_mounts() {
    local fields point listed=
    mounts=() marks=() kinds=()
    while read -r -a fields; do
        listed=1
        printf -v point "${fields[4]//%/%%}"
        [[ $point == "$1" || $point == "$1"/* ]] || continue
        mounts+=("$point") marks+=("${fields[0]} ${fields[4]}")
        mount_type
        kinds+=("${fields[1]}")
    done </proc/self/mountinfo
    [[ $listed ]] || mounts=("$1") marks=(unknown) kinds=(unknown)
} 2>/dev/null

# leave_mounts: records what is mounted below our directory when a prepare step has ended, since that belongs to what was
# prepared.
leave_mounts() {
    read_mounts "$real/v1"
    if ((${#mounts[@]})); then
        printf '%s\n' '' "${marks[@]}" >"$v/mounts"
    else
        rm -f -- "$v/mounts"
    fi
}

# holds_last NUMBER POINT: whether a mount is the only one of a file system in memory that holds something. Unmounting it
# would lose that.
holds_last() {
    local fields device= at
    local -A uses=()
    while read -r -a fields; do
        uses[${fields[2]}]=$((${uses[${fields[2]}]:-0} + 1))
        [[ ${fields[0]} == "$1" ]] || continue
        for ((at = 6; at < ${#fields[@]}; at++)); do
            [[ ${fields[at]} != - ]] || break
        done
        [[ ${fields[at + 1]} == @(tmpfs|ramfs) ]] || return 1
        device=${fields[2]}
    done </proc/self/mountinfo
    [[ $device && ${uses[$device]} == 1 && $(ls -A -- "$2") ]]
} 2>/dev/null

# clear_mounts: unmounts what is mounted below our directory and was not there when the last prepare step ended, the last mount
# first. It never unmounts lazily, because a mount would then only vanish from sight. Fails if something stays mounted, and
# `said` names it.
clear_mounts() {
    local at kept left pid
    said= cleared=
    read_mounts "$real/v1"
    ((${#mounts[@]})) || return 0
    content "$v/mounts"
    kept=$REPLY
    for ((at = ${#mounts[@]} - 1; at >= 0; at--)); do
        [[ ${mounts[at]} != "$real/v1"?(/tree) && $kept != *$'\n'"${marks[at]}"$'\n'* ]] || continue
        cleared=", \`${mounts[at]}\` (${kinds[at]})$cleared"
        if holds_last "${marks[at]%% *}" "${mounts[at]}"; then
            said+=", \`${mounts[at]}\` (${kinds[at]})"
            continue
        fi
        umount -c -- "${mounts[at]}" >/dev/null 2>&1 </dev/null 6>&- 8>&- 9>&- &
        pid=$!
        for ((left = 100; left > 0; left--)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
        ((left > 0)) && wait "$pid" || {
            kill -s KILL "$pid" 2>/dev/null
            said+=", \`${mounts[at]}\` (${kinds[at]})"
        }
    done
    said=${said#, }
    [[ ! $said ]]
}

# unmount: tells what a test left mounted below our directory, and what of that stays mounted.
agent_unmount() {
    clear_mounts
    say ok "${cleared#, }${said:+; still mounted: $said}"
}

# meets PATH...: whether one of the paths, which are relative to the physical working directory, is, holds, or lies below a
# mount point.
meets() {
    local path point
    read_mounts "$PWD"
    for point in "${mounts[@]}"; do
        for path; do
            path=$PWD/${path#./}
            [[ $path == "$PWD/." ]] && path=$PWD
            [[ $path/ != "$point"/* && $point != "$path"/* ]] || {
                printf '`%s` is a mount point\n' "$point" >&2
                return
            }
        done
    done
    return 1
}

# stays_out PATH...: fails if a path is or lies below a mount point, because nothing may be written there.
stays_out() {
    local path point
    read_mounts "$PWD"
    for point in "${mounts[@]}"; do
        for path; do
            [[ $PWD/${path#./}/ != "$point"/* ]] || { printf '`%s` is a mount point\n' "$point" >&2; return 1; }
        done
    done
}
