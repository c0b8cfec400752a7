# Listing a tree, and comparing it with what was listed before.

# take_records FILE: takes what a file has, each ended by NUL, into `records`.
take_records() {
    local record
    records=()
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
        mapfile -t -d '' records <"$1"
    else
        while IFS= read -r -d '' record; do records+=("$record"); done <"$1"
    fi
}

# list SLOT: lists everything in the slot's tree by one walk, as records `INODE.SIZE.MODE.MTIME TAB CTIME TAB ./PATH` with NUL: directories in
# SLOT.found, as they come, and all else in SLOT.walk, sorted; of the latter those that were read in SLOT.read, and in SLOT.listed the
# paths of directories that were listed. A directory is looked at before it is listed here. Only whether the time of last access is
# the one that was set tells of a read, so no clock matters. Where a list gets longer than any that is of use, who writes it dies of the
# signal that tells it so. To be called in a process of its own.
list() {
    local m=$v/manifest/$1 point skip=() prune=()
    ulimit -c 0
    ulimit -f "$longest_list"
    # What is mounted there since the last prepare step is none of the tree's.
    read_mounts "$real/v1/tree/$1"
    for point in "${mounts[@]}"; do
        [[ $point != "$real/v1/tree/$1" ]] || continue
        skip+=("./${point#"$real/v1/tree/$1/"}")
    done
    cd -- "$v/tree/$1" || return
    set -o pipefail
    [[ $finds == yes ]] || { list_plainly; return; }
    for point in "${skip[@]}"; do
        point=${point//\\/\\\\}
        point=${point//\*/\\*}
        point=${point//\?/\\?}
        prune+=(-path "${point//\[/\\[}" -prune -o)
    done
    find . "${prune[@]}" \
        -type d \( -fprintf "$m.found" "$fields" -newerat "@$unread" -fprintf "$m.listed" '%p\0' -o -true \) \
        -o -printf "$fields" -newerat "@$unread" -fprintf "$m.read" "$fields" | sort -z >"$m.walk"
}

# list_plainly: the same where there is no `find` that can do it. The time that a directory was listed is compared with that of its last
# change, which is later unless it lies before what is set: then it counts as listed.
list_plainly() {
    local dirs=(.) others=() read=() at path times
    local -A skipped=()
    for path in "${skip[@]}"; do
        skipped["$path"]=1
    done
    unset GLOBIGNORE
    shopt -s nullglob dotglob
    : >"$m.listed" || return
    for ((at = 0; at < ${#dirs[@]}; at++)); do
        [[ -N ${dirs[at]} ]] || printf '%s\0' "${dirs[at]}" >>"$m.listed" || return
        # Too deep for a path.
        ((${#dirs[at]} < 4000)) || return $too_long
        [[ -r ${dirs[at]} && -x ${dirs[at]} ]] || { printf 'cannot list `%s`\n' "${dirs[at]}"; return 1; }
        for path in "${dirs[at]}"/*; do
            if [[ ${skipped["$path"]} ]]; then
                continue
            elif [[ -d $path && ! -L $path ]]; then
                dirs+=("$path")
            else
                others+=("$path")
            fi
        done
    done
    relist "${dirs[@]}" >"$m.found" && relist "${others[@]}" | sort -z >"$m.walk" || return
    for ((at = 0; at < ${#others[@]}; at += 200)); do
        times=$(stat -c %X -- "${others[@]:at:200}") || return
        for path in "${others[@]:at:200}"; do
            ((${times%%$'\n'*} <= unread)) || read+=("$path")
            times=${times#*$'\n'}
        done
    done
    relist "${read[@]}" >"$m.read"
}

# batch PATH…: takes how many of them are arguments of one program into REPLY.
batch() {
    local all="$*"
    ((REPLY = ${#all} < 1000000 ? $# : 200))
}

# relist PATH…: prints the records of paths, which begin with a dot, in this order.
relist() {
    local at count
    batch "$@"
    count=$REPLY
    for ((at = 1; at <= $#; at += count)); do
        if [[ $finds == yes ]]; then
            find "${@:at:count}" -maxdepth 0 -printf "$fields"
        else
            stat --printf='%i.%s.%a.%.10Y\t%.10Z\t%n\0' -- "${@:at:count}"
        fi || return
    done
}

# walk SLOT: lists the slot's tree, see `list`. A directory that cannot be read gets its permissions back. A tree with too long a list, as
# directories make that lie very deep in each other, is not worth it: it is emptied, `emptied` says so, and the walk fails.
walk() {
    local tree=$v/tree/$1 m=$v/manifest/$1 try rc
    if [[ ! $finds ]]; then
        finds=no
        [[ $(find / -maxdepth 0 \( -newerat "@$unread" -o -true \) -fprintf /dev/stdout "${fields%?0}" 2>/dev/null) == *$'\t/' ]] && finds=yes
    fi
    [[ -d $tree && ! -L $tree ]] || said=$(cd -P -- "$v/tree" && { ! meets "$1" && rm -rf --one-file-system -- "$tree" && mkdir -- "$tree"; } 2>&1) || return
    for try in 1 2 3; do
        said=$(list "$1" 2>&1)
        rc=$?
        ((rc != 0)) || return 0
        if ((rc == too_long)); then
            rm -f -- "$m".{found,listed,read,walk}
            said=$(cd -P -- "$v/tree" && ! meets "$1" && rm -rf --one-file-system -- "$tree" && mkdir -- "$tree" 2>&1) && emptied=yes said='what lay there was too much to list, and is removed'
            return 1
        fi
        (cd -P -- "$v/tree" && ! meets "$1" && chmod -R u+rwX -- "$1") 2>/dev/null || return 1
    done
    return 1
}

# compare SLOT: takes into `same` whether what `walk` has listed is what was there: the records in SLOT.dirs, and those in SLOT.stat, sorted, for
# which those in SLOT.young count where it has the path: of files whose times were set since. The files that are others, or came or went, are the keys of `strange`, each with how its records begin, old and new. Fails where that cannot be told.
compare() {
    local m=$v/manifest/$1 IFS=/ dirs record path
    local -A young=()
    same= strange=()
    [[ -e $m.stat && -e $m.dirs && -e $m.young ]] || return
    take_records "$m.found"
    dirs=("${records[@]}")
    take_records "$m.dirs"
    [[ "${records[*]}" == "${dirs[*]}" ]] && same=yes
    take_records "$m.young"
    for record in "${records[@]}"; do
        young["${record#*$'\t'*$'\t'}"]=$record
    done
    comm -z -3 -- "$m.stat" "$m.walk" >"$m.other" || { same=; return 1; }
    take_records "$m.other"
    for record in "${records[@]}"; do
        path=${record#$'\t'}
        path=${path#*$'\t'*$'\t'}
        if [[ $record != $'\t'* ]]; then
            [[ ${young["$path"]+is} ]] || strange["$path"]+="${record%%$'\t'*} "
            continue
        fi
        record=${record#$'\t'}
        [[ ${young["$path"]} == "$record" ]] || {
            [[ ! ${young["$path"]} ]] || strange["$path"]="${young["$path"]%%$'\t'*} "
            strange["$path"]+="${record%%$'\t'*} "
        }
        # It was found.
        [[ ! ${young["$path"]} ]] || young["$path"]=
    done
    for path in "${!young[@]}"; do
        [[ ! ${young["$path"]} ]] || strange["$path"]='gone '
    done
    ((${#strange[@]} == 0)) || same=
    return 0
} 2>/dev/null

# keep_list SLOT: takes the tree as `walk` has listed it as what is there.
keep_list() {
    local m=$v/manifest/$1
    mv -f -- "$m.walk" "$m.stat" && mv -f -- "$m.found" "$m.dirs" && : >"$m.young"
}

# tick: waits until no later change can have the time of an earlier one: newer kernels see to that themselves on these file systems.
tick() {
    local release
    read -r release </proc/sys/kernel/osrelease
    [[ $kind == @(ext2/ext3|xfs|btrfs|tmpfs) && $release =~ ^([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] >= 6013)) || sleep 0.02
}
