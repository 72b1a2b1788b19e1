//! Files of the repository, and their code apart from comments, literals and tests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of `src`, with its code apart from comments, literals and tests.
pub struct Source {
    /// From the top level on.
    pub path: String,
    /// All of it.
    pub text: String,
    code: String,
}

impl Source {
    /// First part of its path below `src`.
    pub fn module(&self) -> &str {
        let below = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        below.split('/').next().unwrap_or(below)
    }

    pub fn is_root_of_module(&self) -> bool {
        self.path == format!("src/{}.rs", self.module())
            || self.path == format!("src/{}/mod.rs", self.module())
    }

    /// Lines of code, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// The files of `src` that are not test code.
pub fn sources() -> Vec<Source> {
    let paths = files().into_iter().filter(|path| path.starts_with("src/") && path.ends_with(".rs"));
    let all: Vec<(String, String)> =
        paths.map(|path| (read(&path), path)).map(|(text, path)| (path, text)).collect();
    let of_tests: BTreeSet<String> = all.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    assert!(all.len() > 20, "src was read");
    let is_test = |path: &str| {
        let module = path.trim_end_matches(".rs");
        Path::new(module).ancestors().any(|part| of_tests.contains(&*part.to_string_lossy()))
    };
    let rest = all.into_iter().filter(|(path, _)| !is_test(path));
    rest.map(|(path, text)| Source { code: blank(&text, true), path, text }).collect()
}

/// The modules that `#[cfg(test)] mod name;` in `path` names, each as the path of its file or folder without `.rs`.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let module = Path::new(path.trim_end_matches(".rs"));
    let is_root = module.ends_with("mod") || module.ends_with("lib") || module.ends_with("main");
    let folder = if is_root { module.parent().unwrap_or(Path::new("")) } else { module };
    let items = text.split("#[cfg(test)]").skip(1);
    let names = items.filter_map(|item| {
        let declaration = item.split([';', '{']).next()?.trim();
        let name = declaration.rsplit_once("mod ")?.1;
        item.contains(&format!("mod {name};")).then_some(name)
    });
    names.map(|name| folder.join(name).to_string_lossy().into_owned()).collect()
}

/// Blanks comments and the inside of literals, and with `tests_too` what `#[cfg(test)]` stands before.
/// Lines stay where they are.
pub fn blank(text: &str, tests_too: bool) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let taken = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |at| at + 2),
            'r' if !after_word && raw_literal(rest) > 0 => raw_literal(rest),
            '"' => literal(rest, '"'),
            // A quote that nothing closes soon is a lifetime.
            '\'' if rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'') => {
                literal(rest, '\'')
            }
            _ => 0,
        };
        let skipped = taken.max(first.len_utf8());
        let keeps = |c: char| if taken > 0 && c != '\n' { ' ' } else { c };
        code.extend(rest[..skipped].chars().map(keeps));
        rest = &rest[skipped..];
    }
    while tests_too && let Some(at) = code.find("#[cfg(test)]") {
        let end = at + item_length(&code[at..]);
        let blanked: String = code[at..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        code.replace_range(at..end, &blanked);
    }
    code
}

/// Bytes of the raw string that `text` begins with; 0 if it begins with none.
fn raw_literal(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let opening = 1 + hashes;
    if !text[opening..].starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    text[opening + 1..].find(&closing).map_or(text.len(), |at| opening + 1 + at + closing.len())
}

/// Bytes of the literal that `text` begins with.
fn literal(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes of the item that `code` begins with: to its `;`, or to the brace that closes it.
fn item_length(code: &str) -> usize {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

pub fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
}

/// Whether `text` holds `word`, not as a part of a longer name.
pub fn holds_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let goes_on = word.ends_with(is_name) && text[at + word.len()..].starts_with(is_name);
        let is_tail = word.starts_with(is_name) && text[..at].ends_with(is_name);
        !goes_on && !is_tail
    })
}

/// Files of the repository: those that git has or would add.
pub fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.current_dir(root()).output().expect("git is installed");
    assert!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("file names are text");
    names.split('\0').filter(|name| root().join(name).is_file()).map(str::to_owned).collect()
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn only_code_counts() {
    let text = "//! a\nlet a = \"b // \\\" c\"; // d\nlet e: &'e str = r#\"f\"#; let g = ['{', '\\''];\n\
                #[cfg(test)]\nmod h {\n { }\n}\nlet i;\n";
    let code = blank(text, true);
    let words: String = code.chars().filter(char::is_ascii_lowercase).collect();
    assert_eq!(words, "letaleteestrletgleti", "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(holds_word("a crate::x", "crate::") && !holds_word("unsafe_code", "unsafe"));
}
