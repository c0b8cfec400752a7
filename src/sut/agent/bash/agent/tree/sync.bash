# Syncs a tree: tells the runner what is there, and puts in place what it sends.

# check SLOT see|- HEAD...: the reply is `clean` if the manifest begins with one of the lines HEAD and nothing has changed
# since, and otherwise everything that is known. With `see`, what was read until now is forgotten. It may also be sent ahead,
# behind an `open` that may fail.
agent_check() {
    local slot=$1 m=$v/manifest/$1 head=
    seeing=$2
    shift 2
    [[ $leased ]] || { say err "the lease is not held"; return; }
    clear_mounts || { say mounted "left mounted by an earlier test: $said"; return; }
    emptied=
    [[ -e $v/tree/$slot ]] || prune "$slot"
    { : >"$m.used"; } 2>/dev/null
    show_last "$slot"
    [[ $known == "$slot" && ! $cleared ]] || look_at "$slot" || return
    if [[ -s $m.list && ! -e $m.touched && $same ]]; then
        IFS= read -r head <"$m.list"
        [[ " $* " == *" $head "* ]] && {
            # Entries in SLOT.young cost time in each comparison.
            forget "$slot" || [[ ! -s $m.young ]] || keep_list "$slot" 2>/dev/null
            say clean
            return
        }
    fi
    tell_tree "$slot" "$same"
}

# look_at SLOT: lists the slot's tree, and puts into `same` whether it is what was there. If that fails, the reply is sent
# here.
look_at() {
    walk "$1" || { [[ $emptied ]] && walk "$1"; } || { complain "cannot read \`$v/tree/$1\`"; return 1; }
    compare "$1" || same=
}

# tell_tree SLOT [yes]: a reply with everything that is known of the slot. It is `differs` if the tree is as it was.
tell_tree() {
    local m=$v/manifest/$1
    cat -- "$m.walk" "$m.found" >"$m.now"
    if [[ $2 && ! -e $m.touched ]]; then
        send differs "$m.list" /dev/null "$m.now" /dev/null
    else
        cat -- "$m.stat" "$m.dirs" "$m.young" >"$m.before"
        send changed "$m.list" "$m.before" "$m.now" "$m.touched"
    fi
} 2>/dev/null

# each FILE COMMAND...: runs the command with the NUL-terminated entries of FILE as arguments, some hundred at a time.
each() {
    local file=$1 entry batch=()
    shift
    while IFS= read -r -d '' entry; do
        batch+=("./$entry")
        ((${#batch[@]} < 400)) || { "$@" "${batch[@]}" || return; batch=(); }
    done <"$file"
    ((${#batch[@]} == 0)) || "$@" "${batch[@]}"
}

# remove PATH...: removes paths, which are relative to the tree; the tree is the working directory.
remove() {
    ! meets "$@" || return
    rm -rf --one-file-system -- "$@" && return
    ! meets . || return
    chmod -R u+rwX .
    rm -rf --one-file-system -- "$@"
}

# clear_way PATH...: makes way for directories. Anything else in their place is removed, also a link to a directory; an
# existing directory gets its mode.
clear_way() {
    local path dirs=()
    stays_out "$@" || return
    for path; do
        if [[ ! -L $path && -d $path ]]; then
            dirs+=("$path")
        elif [[ -L $path || -e $path ]]; then
            remove "$path" || return
        fi
    done
    ((${#dirs[@]} == 0)) || chmod 755 -- "${dirs[@]}"
}

# make_room SLOT: makes the changes of a sync before the files are extracted. The lists were unpacked as SLOT.touched, .gone,
# .dirs and .sent.
make_room() {
    local m=$v/manifest/$1
    said=$({ cd -P -- "$v/tree/$1" && stays_out . && chmod 755 . && each "$m.gone" remove && each "$m.dirs" clear_way && each "$m.sent" stays_out; } 2>&1)
}

# apply SLOT LISTS-LENGTH TAR-LENGTH: then a line `commit LENGTH` follows with the new manifest as an archive, or `abort 0`.
# The list of touched paths is written before any of them is touched, and removed last; until then none of these paths is
# believed.
agent_apply() {
    local m=$v/manifest/$1 failed= word length
    unpack "$2" "$v/manifest" && mv -f -- "$m.touched.new" "$m.touched" && make_room "$1" || failed="cannot make room in \`$v/tree/$1\`"
    if [[ $failed ]]; then
        payload "$3" >/dev/null
    else
        unpack "$3" "$v/tree/$1" || {
            failed="cannot write below \`$v/tree/$1\`"
            # What has arrived is not believed anyway, and the disk may be full.
            (cd -P -- "$v/tree/$1" && each "$m.sent" remove) 2>/dev/null
        }
    fi
    read -r ${beat:+-t "$((beat / 3 + 1))"} word length || exit 0
    if [[ $failed || $word == abort ]]; then
        payload "$length" >/dev/null
        complain "${failed:-aborted}"
        return
    fi
    unpack "$length" "$v/manifest" && walk "$1" && forget_many "$1" && settle_in "$1" || { complain "cannot write below \`$v/manifest\`"; return; }
    # Waits for a tick of the clock, so that no later change gets the time of these.
    sleep 0.02
    say ok
}

settle_in() {
    local m=$v/manifest/$1
    said=$(mv -f -- "$m.list.new" "$m.list" 2>&1) && believe "$1" && said=$(rm -f -- "$m.touched" 2>&1)
}

# look SLOT STEP: tells what is there after a prepare step, before `rebase`. The reply is `none` if nothing was ever synced
# there.
agent_look() {
    local m=$v/manifest/$1
    keep_env "${1%%-*}" "$2"
    keep_data "${1%%-*}" "$2"
    { printf %s "$1" >"$v/prepared"; leave_mounts; } 2>/dev/null
    [[ -s $m.list ]] || { say none; return; }
    look_at "$1" || return
    [[ ! $same || -e $m.touched ]] || { forget "$1"; say clean; return; }
    tell_tree "$1"
}

# rebase SLOT LENGTH: makes what `look` saw the new baseline, with a new manifest.
agent_rebase() {
    unpack "$2" "$v/manifest" && settle_in "$1" || { complain "cannot write below \`$v/manifest\`"; return; }
    sleep 0.02
    say ok
}
