# The trees on the machine: which there are, and which are removed to make room.

# slots: a line for each tree with the time of its last use and its slot, the last used first.
agent_slots() {
    local dir uses=() list=
    for dir in "$v"/tree/*/; do
        dir=${dir%/}
        [[ -L $dir || ! -e $v/manifest/${dir##*/}.used ]] || uses+=("${dir##*/}.used")
    done
    if ((${#uses[@]})); then
        mapfile -t uses < <(cd -- "$v/manifest" && ls -t -- "${uses[@]}")
        list=$(cd -- "$v/manifest" && stat -c '%Y %n' -- "${uses[@]}")
    fi 2>/dev/null
    say slots "${list//.used/}"
}

# prune SLOT: makes room before a tree is synced that is not there yet. Trees that nobody has used for a month are removed,
# except for the three used last and the one that the prepared state was made in; so are the trees of a project when eight
# others have used theirs since. With a project's last tree its environment files are removed, unless the project owes a
# finish that may need them.
prune() {
    local dir slot project kept=0 prepared state left uses=()
    local -A projects=()
    content "$v/prepared"
    prepared=$REPLY
    content "$v/state"
    state=$REPLY
    for dir in "$v"/tree/*/; do
        dir=${dir%/} slot=${dir##*/}
        [[ -d $dir && ! -L $dir && $slot != "$1" && $slot != "$prepared" ]] || continue
        # A tree that was synced before uses were recorded counts from now on.
        [[ -e $v/manifest/$slot.used ]] || : >"$v/manifest/$slot.used"
        uses+=("$slot.used")
    done
    ((${#uses[@]} > 3)) && touch -d '30 days ago' -- "$v/manifest/month" || return 0
    while IFS= read -r slot; do
        project=${slot%.used}
        project=${project%%-*}
        [[ $project == "${1%%-*}" ]] || projects[$project]=1
        if [[ $project == "${1%%-*}" ]] || ((${#projects[@]} < 8)); then
            ((kept++ < 3)) || [[ $v/manifest/$slot -nt $v/manifest/month ]] && continue
        fi
        slot=${slot%.used}
        (cd -P -- "$v/tree" && ! meets "$slot" && rm -rf --one-file-system -- "$slot") && rm -f -- "$v/manifest/$slot".* || continue
        [[ $state == *"\"project\":"?( )"\"$project\""* ]] && left=1 || left=
        for dir in "$v/tree/$project" "$v/tree/$project"-*; do
            [[ ! -d $dir ]] || left=1
        done
        [[ $left ]] || rm -f -- "$v/env/$project".{base,prepared} "$v/env/$project".prepared.[0-9]*
        [[ $left ]] || { reset_data "$project.base"; reset_data "$project.prepared"; }
    done < <(cd -- "$v/manifest" && ls -t -- "${uses[@]}")
} 2>/dev/null

# show_last SLOT: links the tree's own name to the slot of the project that used it last, for people who look for it.
show_last() {
    local link=$v/tree/${1#*-}
    [[ $1 != *-* || (-L $link && $link -ef $v/tree/$1) ]] && return
    [[ -L $link || ! -e $link ]] && ln -sfn -- "$1" "$link"
} 2>/dev/null
