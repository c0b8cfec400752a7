#!/bin/bash
. ../../lib/say.sh
for tool in bash tar date; do
    if command -v "$tool" >/dev/null; then
        say pass "tools/$tool"
    else
        say fail "tools/$tool" "not found"
    fi
done
say info kernel "$(uname -r)"
