//! A script that is run over a link, and how long that takes.

use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::Instant;

use crate::metrics::Histogram;
use crate::refusal::Refusal;
use crate::store::link::Link;

pub(in crate::store) struct Timed {
    /// What metrics call it.
    pub(in crate::store) name: &'static str,
    script: Script,
    /// From the request to its answer, or until none is waited for any more.
    pub(in crate::store) took: Histogram,
}

impl Timed {
    pub(super) fn new(name: &'static str, text: &str) -> Self {
        Self {
            name,
            script: Script::new(text),
            took: Histogram::default(),
        }
    }

    /// Runs it with the keys and arguments that `prepare` gives it.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        link: &Link,
        prepare: impl FnOnce(&mut ScriptInvocation<'_>),
    ) -> Result<T, Refusal> {
        let mut invocation = self.script.prepare_invoke();
        prepare(&mut invocation);
        let begun = Instant::now();
        let answer = link
            .run(async |redis| invocation.invoke_async(redis).await)
            .await;
        self.took.observe(begun.elapsed());
        answer
    }
}
