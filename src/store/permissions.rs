//! Checks at the start that this user may run the commands that scripts and servers use.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};

const PERMITTED: &str = include_str!("scripts/permitted.lua");

/// Returns the commands that the user may not run on keys and inboxes with this prefix.
pub(super) async fn refused(
    redis: &mut MultiplexedConnection,
    prefix: &str,
) -> RedisResult<Vec<String>> {
    let script = Script::new(PERMITTED);
    let mut invocation = script.key(format!("{prefix}:store"));
    invocation.arg(format!("{prefix}:to:"));
    invocation.invoke_async(redis).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/deployment.md");
    /// Commands that are used before or by running a script.
    const FIRST: [&str; 4] = ["info", "role", "evalsha", "script|load"];

    #[test]
    fn the_documented_rule_permits_exactly_the_checked_commands() {
        let rule = DOCUMENT.lines().find(|it| it.starts_with("ACL SETUSER"));
        let permitted: BTreeSet<_> = rule
            .unwrap()
            .split(' ')
            .filter_map(|it| it.strip_prefix('+'))
            .map(|it| it.split_once("pubsub|").map_or(it, |_| "pubsub"))
            .collect();
        let asked = PERMITTED.split("{ '").skip(1);
        let asked = asked.filter_map(|it| it.split('\'').next()).chain(FIRST);
        assert_eq!(permitted, asked.collect());
    }

    #[test]
    fn every_command_of_a_script_is_checked() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/scripts");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|it| it != "lua") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for call in text.split("redis.call('").skip(1) {
                let command = call.split('\'').next().unwrap().to_lowercase();
                assert!(PERMITTED.contains(&format!("'{command}'")), "{command}");
            }
        }
    }
}
