//! Names and comments of generated files.

/// The lines of a comment.
pub(crate) fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        if line.len() + word.len() > 88 {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.into_iter().map(|line| format!("     * {line}\n")).collect()
}

/// `sendMessage` as `SEND_MESSAGE`.
pub(crate) fn constant(name: &str) -> String {
    let mut constant = String::new();
    let mut was_lower = false;
    for letter in name.chars() {
        if letter.is_uppercase() && was_lower {
            constant.push('_');
        }
        was_lower = letter.is_lowercase();
        constant.push(letter.to_ascii_uppercase());
    }
    constant
}
