//! File patterns relative to a scenario: `*` and `?` within a name, `**` for folders of any depth.
//!
//! Matches come in byte order of their paths, so the order of manifests is the same on every machine. Names that start with
//! a dot are matched by patterns that start with one only. Links to folders are followed by name but not by `**`.

use std::io;
use std::path::{Path, PathBuf};

/// Folders deeper than this below a `**` are not searched.
const DEEPEST: usize = 16;

/// The files under `base` that match `pattern`, whose parts are separated by `/`.
pub(super) fn files(base: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let absolute = pattern.starts_with('/');
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    let start = if absolute {
        PathBuf::from("/")
    } else {
        base.to_owned()
    };
    let mut found = Vec::new();
    walk(&start, &parts, &mut found)?;
    found.sort();
    found.dedup();
    Ok(found)
}

fn walk(path: &Path, parts: &[&str], found: &mut Vec<PathBuf>) -> io::Result<()> {
    let Some((part, rest)) = parts.split_first() else {
        if path.is_file() {
            found.push(path.to_owned());
        }
        return Ok(());
    };
    match *part {
        "." => walk(path, rest, found),
        ".." => walk(&path.join(".."), rest, found),
        "**" => descend(path, rest, DEEPEST, found),
        name if !name.contains(['*', '?']) => walk(&path.join(name), rest, found),
        pattern => {
            for name in names(path)? {
                if matches(pattern, &name) {
                    walk(&path.join(name), rest, found)?;
                }
            }
            Ok(())
        }
    }
}

fn descend(path: &Path, rest: &[&str], depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    walk(path, rest, found)?;
    if depth == 0 {
        return Ok(());
    }
    for name in names(path)? {
        let inner = path.join(&name);
        if !name.starts_with('.') && inner.is_dir() && !inner.is_symlink() {
            descend(&inner, rest, depth - 1, found)?;
        }
    }
    Ok(())
}

/// Names in a folder, sorted; a folder that is not there has none. Names that are not UTF-8 cannot be matched.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether a name matches a pattern of `*`, `?` and plain characters.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // Where the last `*` stands, and up to where in the name it has been tried.
    let mut star: Option<(usize, usize)> = None;
    let (mut p, mut n) = (0, 0);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, tried)) => {
                    star = Some((at, tried + 1));
                    p = at + 1;
                    n = tried + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_a_shell_matches_them() {
        for (pattern, name, expected) in [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "a.yml", false),
            ("*.y*ml", "a.yml", true),
            ("?.yaml", "ab.yaml", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
