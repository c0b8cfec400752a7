# Lists a tree, and compares it with what was listed before.

# take_records FILE: reads the records of a file, each ended by NUL, into `records`.
take_records() {
    local record
    records=()
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
        mapfile -t -d '' records <"$1"
    else
        while IFS= read -r -d '' record; do records+=("$record"); done <"$1"
    fi
}

# list SLOT: lists everything in the slot's tree in one walk, as records `INODE.SIZE.MODE.MTIME TAB CTIME TAB ./PATH` ended by
# NUL. Directories are listed in SLOT.found, in the order of the walk, and everything else in SLOT.walk, sorted. SLOT.read has
# those of the latter that were read, and SLOT.listed the paths of the directories that were listed; each directory is looked
# at before it is listed here. A file was read if its time of last access is not the one that was set, so no clock matters. A
# process that writes a longer list than is of any use dies of SIGXFSZ. It must be called in a process of its own.
list() {
    local m=$v/manifest/$1 point skip=() prune=()
    ulimit -c 0
    ulimit -f "$longest_list"
    # What was mounted there after the last prepare step does not belong to the tree.
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

# list_plainly: does the same without a `find` that can do it. A directory counts as listed unless its last change is later
# than its last access. So a directory that was changed before the time that `unread` sets always counts as listed.
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
        # The path is too deep.
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

# batch PATH...: puts into REPLY how many of the paths one program gets as arguments.
batch() {
    local all="$*"
    ((REPLY = ${#all} < 1000000 ? $# : 200))
}

# relist PATH...: prints the records of the paths, which begin with a dot, in this order.
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

# walk SLOT: lists the slot's tree, see `list`. A directory that cannot be read gets its permissions back. A tree whose list
# is too long, as with directories that are very deep, is not worth it: it is emptied, `emptied` says so, and the walk fails.
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

# compare SLOT: puts `yes` into `same` if the tree that `walk` has listed is the one that was there: the directories in
# SLOT.dirs and everything else in SLOT.stat, sorted. For a path in SLOT.young, whose times were set since, the record there
# counts instead. The paths of files that changed, appeared or disappeared become the keys of `strange`; their values are the
# beginnings of the old and the new record. Fails if this cannot be found out.
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
        # Marks the path as found.
        [[ ! ${young["$path"]} ]] || young["$path"]=
    done
    for path in "${!young[@]}"; do
        [[ ! ${young["$path"]} ]] || strange["$path"]='gone '
    done
    ((${#strange[@]} == 0)) || same=
    return 0
} 2>/dev/null

# keep_list SLOT: makes the tree as `walk` has listed it the one that was there.
keep_list() {
    local m=$v/manifest/$1
    mv -f -- "$m.walk" "$m.stat" && mv -f -- "$m.found" "$m.dirs" && : >"$m.young"
}

# tick: waits until no later change can get the time of an earlier one. Newer kernels take care of that themselves on these
# file systems.
tick() {
    local release
    read -r release </proc/sys/kernel/osrelease
    [[ $kind == @(ext2/ext3|xfs|btrfs|tmpfs) && $release =~ ^([0-9]+)\.([0-9]+) ]] && ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] >= 6013)) || sleep 0.02
}
