//! Selects the algorithms that a session may use: those of libssh2, as the login's lists change them.

use ssh2::{MethodType, Session};

use super::super::login::Login;
use super::super::pattern;
use crate::sut::{Trouble, TroubleKind};

/// Sets what the login says of ciphers, MACs, key exchange and signatures.
pub(crate) fn prefer(session: &Session, login: &Login) -> Result<(), Trouble> {
    let lists = &login.algorithms;
    let given = [
        (
            "Ciphers",
            &lists.ciphers,
            &[MethodType::CryptCs, MethodType::CryptSc][..],
        ),
        ("MACs", &lists.macs, &[MethodType::MacCs, MethodType::MacSc]),
        ("KexAlgorithms", &lists.key_exchange, &[MethodType::Kex]),
        ("PubkeyAcceptedAlgorithms", &lists.signatures, &[MethodType::SignAlgo]),
    ];
    for (option, list, methods) in given {
        let Some(list) = list else { continue };
        for method in methods {
            let set = || -> Result<bool, ssh2::Error> {
                let possible: Vec<String> = session
                    .supported_algs(*method)?
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                let chosen = changed(&possible, &possible, Some(list));
                if chosen.is_empty() {
                    return Ok(false);
                }
                session.method_pref(*method, &chosen.join(","))?;
                Ok(true)
            };
            let problem = match set() {
                Ok(true) => continue,
                Ok(false) => format!("`{option}` leaves nothing that atex can do: `{list}`"),
                Err(error) => format!("`{option}` cannot be set: {}", error.message()),
            };
            return Err(Trouble::new(
                TroubleKind::Unreachable,
                format!("`{}`: {problem}", login.name),
            ));
        }
    }
    Ok(())
}

/// Applies a list of `ssh_config` to the usual list: `+` appends, `-` removes (also by patterns), `^` puts first, and a plain
/// list replaces. Names that are not possible are dropped.
pub(crate) fn changed(usual: &[String], possible: &[String], list: Option<&str>) -> Vec<String> {
    let Some(list) = list else { return usual.to_vec() };
    let sign = list.chars().next().filter(|c| matches!(c, '+' | '-' | '^'));
    let names: Vec<&str> = list[usize::from(sign.is_some())..].split(',').map(str::trim).collect();
    let named = |name: &&String| names.iter().any(|pattern| pattern::matches_exactly(pattern, name));
    let new = names.iter().filter(|name| possible.iter().any(|known| known == *name));
    let new = new.map(|name| (*name).to_owned());
    match sign {
        Some('-') => usual.iter().filter(|name| !named(name)).cloned().collect(),
        Some('+') => {
            let kept: Vec<String> = usual.to_vec();
            let added: Vec<String> = new.filter(|name| !kept.contains(name)).collect();
            [kept, added].concat()
        }
        Some(_) => new.chain(usual.iter().filter(|name| !named(name)).cloned()).collect(),
        None => new.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_replace_remove_or_put_first_and_drop_what_is_not_possible() {
        let [usual, possible] = [&["a1", "a2", "b"][..], &["a1", "a2", "b", "old"]]
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let changed = |list| changed(&usual, &possible, Some(list)).join(",");
        assert_eq!(changed("b,x,a1"), "b,a1");
        assert_eq!(changed("-a*"), "b");
        assert_eq!(changed("+x,old"), "a1,a2,b,old");
        assert_eq!(changed("^b,x"), "b,a1,a2");
        assert_eq!(changed("x"), "");
    }
}
