//! A script that is run over a link, with its timings.

use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::Instant;

use crate::metrics::Histogram;
use crate::refusal::Refusal;
use crate::store::link::Link;

pub(in crate::store) struct Timed {
    /// Its name in the metrics.
    pub(in crate::store) name: &'static str,
    script: Script,
    /// Durations from the request to its answer, or to the timeout.
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

    /// Runs the script with the keys and arguments that `prepare` adds.
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
