//! Completion by the Tab key.

use super::command;

/// Known users, and joined rooms.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) users: Vec<String>,
    pub(super) rooms: Vec<String>,
}

/// The position of the last word, and its completions.
pub(super) fn complete(before: &str, names: &Names) -> (usize, Vec<String>) {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let start = before.len() - word.len();
    let earlier = &before[..start];
    let rooms = |sign: &'static str| names.rooms.iter().map(move |room| format!("{sign}{room}"));
    let users = || names.users.iter().cloned();
    let all: Vec<String> = match earlier.trim_end() {
        "" if word.starts_with('/') => command::names().map(str::to_owned).collect(),
        "/join" | "/leave" => rooms("").collect(),
        "/to" | "/msg" | "/who" => users().chain(rooms("#")).collect(),
        // In a text, user ids are completed.
        _ if word.is_empty() => Vec::new(),
        _ => users().collect(),
    };
    (start, all.into_iter().filter(|name| name.starts_with(word)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let names = Names {
            users: ["bob", "bobby", "carol"].map(str::to_owned).to_vec(),
            rooms: ["lobby", "lounge"].map(str::to_owned).to_vec(),
        };
        let (start, offered) = complete(line, &names);
        offered.iter().map(|name| format!("{}{name}", &line[..start])).collect()
    }

    #[test]
    fn completes_commands_users_and_rooms() {
        assert_eq!(offered("/t"), ["/to", "/token"]);
        assert_eq!(offered("/to bo"), ["/to bob", "/to bobby"]);
        assert_eq!(offered("/to #lo"), ["/to #lobby", "/to #lounge"]);
        assert_eq!(offered("/join lob"), ["/join lobby"]);
        assert_eq!(
            offered("/who "),
            ["/who bob", "/who bobby", "/who carol", "/who #lobby", "/who #lounge"]
        );
        assert_eq!(offered("/quit "), [""; 0]);
    }

    #[test]
    fn completes_names_inside_texts_but_not_empty_words() {
        assert_eq!(offered("grüße, ca"), ["grüße, carol"]);
        assert_eq!(offered("\u{3000}bobb"), ["\u{3000}bobby"]);
        assert_eq!(offered("hi "), [""; 0]);
        assert_eq!(offered(""), [""; 0]);
    }
}
