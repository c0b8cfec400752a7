# Finds out what a job has read, by the times of last access.

# make_canary: whether reads can be observed here, that is, whether reading a file moves its time of last access if that was
# long ago. Every job reads the canary. `sees` tells what else can be observed: `listed` for directories, and `copied` if no
# copy can be made without a read, as some file systems can.
make_canary() {
    [[ $sees ]] || {
        sees=no
        printf . >"$v/canary" && touch -d "@$((unread + 1))" -- "$v/canary" && touch -a -d "@$unread" -- "$v/canary" && [[ -N $v/canary ]] && IFS= read -r -n 1 REPLY <"$v/canary" && [[ ! -N $v/canary ]] && sees=files
        [[ $sees == files ]] && {
            [[ -d $v/canaries ]] || mkdir -- "$v/canaries"
            touch -a -d "@$unread" -- "$v/canaries" && [[ -N $v/canaries ]] && : "$v/canaries"/* && [[ ! -N $v/canaries ]] && sees+=' listed'
            kind=$(stat -f -c %T -- "$v/tree")
            [[ $kind == @(ext2/ext3|tmpfs|ramfs|overlayfs) ]] && ! cp --reflink=always -- "$v/canary" "$v/canaries/copy" && sees+=' copied'
            rm -f -- "$v/canaries/copy"
        }
    }
    [[ $sees != no ]]
} 2>/dev/null

# forget SLOT: marks as unread what was read until the tree was listed, and all directories, because `walk` itself lists them.
# That changes their inodes, so their records are listed again. Fails if something else was changed in between.
forget() {
    local m=$v/manifest/$1 IFS=/ before count paths at
    [[ $seeing == see ]] && make_canary || return
    take_records "$m.found"
    before=("${records[@]}") count=${#records[@]}
    take_records "$m.read"
    before+=("${records[@]}")
    paths=("${before[@]#*$'\t'*$'\t'}")
    cd -- "$v/tree/$1" || return
    batch "${paths[@]}"
    for ((at = 0; at < ${#paths[@]}; at += REPLY)); do
        touch -a -c -h -d "@$unread" -- "$v/canary" "${paths[@]:at:REPLY}"
    done
    relist "${paths[@]}" >"$m.new"
    cd /
    take_records "$m.new"
    [[ ${#records[@]} == "${#before[@]}" && "${records[*]%%$'\t'*}" == "${before[*]%%$'\t'*}" ]] || return
    printf '%s\0' "${records[@]:0:count}" >"$m.dirs" || return
    for ((at = count; at < ${#before[@]}; at++)); do
        [[ ${records[at]} == "${before[at]}" ]] || printf '%s\0' "${records[at]}" || return
    done >"$m.young"
    mv -f -- "$m.walk" "$m.stat" && tick
} 2>/dev/null

# forget_many SLOT: does the same and lists the tree again, if so much was read that each comparison would cost too much.
forget_many() {
    take_records "$v/manifest/$1.read"
    ((${#records[@]} < 100)) || ! forget "$1" || walk "$1"
}

# believe SLOT: makes the tree as it was listed the one that is there, and marks as unread what was read.
believe() {
    forget "$1" || keep_list "$1"
}

# sees: whether reads can be observed here; if not, the type and the options of the file system of the trees.
agent_sees() {
    local fields point longest= how=
    make_canary && { say ok yes ''; return; }
    while read -r -a fields; do
        printf -v point "${fields[4]//%/%%}"
        [[ $real/v1 == "${point%/}"/* ]] && ((${#point} >= ${#longest})) || continue
        longest=$point how=${fields[5]}
        mount_type
        how="${fields[1]} $how"
    done </proc/self/mountinfo
    say ok no "$how"
} 2>/dev/null

# reads SLOT [next]: a reply with the files that were read and the directories (with a slash) that were listed by the last
# job, and by jobs before it whose reads were not forgotten, and with what can be observed. A file that is gone, or is another
# one now, counts as read, since nothing can be told of it any more; where one is gone, its directory counts as listed. With
# `next`, a `check` follows before anything else happens in the tree. `none` means that reads cannot be observed here, and
# `unclear` that they could not be told this time, for instance because something still changes the tree.
agent_reads() {
    local m=$v/manifest/$1 path word out=() length=0
    local -A told=()
    make_canary && [[ ! -N $v/canary ]] || { say none; return; }
    walk "$1" && compare "$1" || { say unclear; return; }
    [[ $2 != next ]] || looked=$1
    take_records "$m.listed"
    for path in "${records[@]}"; do
        told["$path/"]=1
    done
    for path in "${!strange[@]}"; do
        # If it is still the same inode, its time of last access tells whether it was read.
        word=${strange["$path"]#* }
        [[ ${word%%.*} != "${strange["$path"]%%.*}" ]] || continue
        told["$path"]=1
        [[ -e $v/tree/$1/$path || -L $v/tree/$1/$path ]] || told["${path%/*}/"]=1
    done
    take_records "$m.read"
    for path in "${records[@]#*$'\t'*$'\t'}"; do
        told["$path"]=1
    done
    for path in "${!told[@]}"; do
        # The paths are sent without `./`, the root as a slash, and each ended by NUL.
        [[ $path == ./ ]] && path=/ || path=${path#./}
        out+=("$path")
        ((length += ${#path} + 1))
    done
    printf 'reads %d %d\n' "$length" "${#sees}"
    ((length == 0)) || printf '%s\0' "${out[@]}"
    printf %s "$sees"
}
