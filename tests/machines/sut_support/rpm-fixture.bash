# rpm-fixture.bash DIR: makes three packages that install and one that cannot, a repository of them, and DIR/bin with a dnf
# and an rpm that know nothing but these and an install root of their own. Each call of dnf adds a line to DIR/transactions.
# Needs rpm, rpmbuild, dnf, createrepo_c.
set -eu
dir=$(realpath -- "$1")
mkdir -p "$dir"/{specs,rpms,root,dnf,bin}

# package NAME REQUIRES PROVIDES: builds one package.
package() {
    {
        printf '%s\n' "Name: $1" 'Version: 1' 'Release: 1' "Summary: $1" 'License: none' 'BuildArch: noarch'
        [[ ! $2 ]] || printf 'Requires: %s\n' "$2"
        [[ ! $3 ]] || printf 'Provides: %s\n' "$3"
        printf '%s\n' '%description' "$1" '%install' "mkdir -p %{buildroot}/usr/share/$1" "echo $1 >%{buildroot}/usr/share/$1/version"
        printf '%s\n' '%files' "/usr/share/$1/version"
    } >"$dir/specs/$1.spec"
    rpmbuild -bb --quiet --define "_topdir $dir/build" --define "_rpmdir $dir/rpms" "$dir/specs/$1.spec"
}

package alpha '' 'virtual-alpha, alpha(feature) = 2'
package beta alpha ''
package gamma '' virtual-gamma
package broken no-such-thing ''
createrepo_c -q "$dir/rpms"

cat >"$dir/dnf/dnf.conf" <<END
[main]
gpgcheck=0
plugins=0
installroot=$dir/root
reposdir=$dir/dnf/repos
cachedir=$dir/dnf/cache
logdir=$dir/dnf/log
persistdir=$dir/dnf/persist
[fixture]
name=fixture
baseurl=file://$dir/rpms
END

cat >"$dir/bin/dnf" <<END
#!/bin/bash
echo "\$*" >>'$dir/transactions'
exec $(type -P dnf) -c '$dir/dnf/dnf.conf' --releasever=1 --assumeyes "\$@"
END
cat >"$dir/bin/rpm" <<END
#!/bin/bash
exec $(type -P rpm) --root '$dir/root' --dbpath "\$($(type -P rpm) -E %_dbpath)" "\$@"
END
chmod 755 "$dir/bin/dnf" "$dir/bin/rpm"
