//! Who runs osctl, for certificates that are to say so.

use std::os::unix::fs::MetadataExt;

/// The name of somebody who has none: the environment and the password file of containers and of CI often lack them.
const NOBODY_KNOWN: &str = "admin";

/// The user's login name: what the environment says, or else the password file.
pub(crate) fn name() -> String {
    let said = ["USER", "LOGNAME"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .find(|name| !name.is_empty());
    said.or_else(recorded)
        .unwrap_or_else(|| NOBODY_KNOWN.to_owned())
}

fn recorded() -> Option<String> {
    // A process belongs to the user who runs it, and so does its folder in /proc.
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    name_in(&users, user).map(str::to_owned)
}

/// The name of a user in a password file, whose lines are `NAME:PASSWORD:UID:...` (passwd(5)).
fn name_in(users: &str, user: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (id == user).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number_among_lines_of_any_kind() {
        let users = "#comment\n\n+::::::\nroot:x:0:0:root:/root:/bin/sh\nmina:x:1000:100::/home/mina:/bin/sh\n:x:5:\n";
        assert_eq!(name_in(users, 0), Some("root"));
        assert_eq!(name_in(users, 1000), Some("mina"));
        assert_eq!(name_in(users, 100), None);
        assert_eq!(name_in(users, 5), None);
    }
}
