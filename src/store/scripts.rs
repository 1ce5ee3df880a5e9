//! The scripts that change a channel in the store, each as one atomic step, and their answers as values.

mod answer;
mod publishing;
mod timed;
mod work;

use self::answer::{Answer, millis};
pub(super) use self::publishing::Publication;
use self::timed::Timed;
use super::link::Link;
use super::notice::numbers;
use super::requested::pack;
use crate::control::{ControlRequest, ControlState};
use crate::event::{ClientId, ClientPast, End, EventId, UnixMillis};
use crate::hub::{
    self, CONTROL_STREAMS, ClientInfo, FINISHED_KEYS, Image, Limits, MirrorChange, TOMBSTONE_AGE,
    TOMBSTONES, UNFINISHED_KEYS,
};
use crate::message::Operation;
use crate::refusal::Refusal;

/// Size of a part of a log, in bytes. The last 100 messages, which are read together, may exceed it.
const PART: usize = 1 << 20;

/// The number of buckets. The first two digits of an ID are the number of its bucket.
pub(super) const BUCKETS: usize = 256;

/// The scripts, with the limits of this node in their text.
pub(super) struct Scripts {
    link: Link,
    prefix: String,
    limits: Limits,
    open: Timed,
    publish: Timed,
    publish_plain: Timed,
    join: Timed,
    read_log: Timed,
    report: Timed,
    lost: Timed,
    finish: Timed,
    request: Timed,
    begin: Timed,
    done: Timed,
    gone: Timed,
    drop: Timed,
}

/// The arguments of a node that joins a channel's audience.
pub(super) struct Joining {
    pub(super) subscribers: usize,
    pub(super) listeners: usize,
    /// Whether to create the channel if it is missing.
    pub(super) makes: bool,
    /// The first message that is wanted. If the log does not hold it, all messages are; if `None`, none.
    pub(super) from: Option<EventId>,
    /// Whether the reader has a cursor.
    pub(super) resumes: bool,
}

/// The outcome of a join.
pub(super) enum Join {
    /// What the channel holds, and, if it was created just now, what was known of an earlier one.
    Joined(Image, Option<ClientPast>),
    /// The channel has ended; this was its last event.
    Ended(End, EventId),
}

impl Scripts {
    pub(super) fn new(link: Link, limits: Limits, stall_millis: u128) -> Self {
        let prefix = link.options().prefix.clone();
        let constants = format!(
            "local PREFIX = '{prefix}'\n\
             local MAX_MESSAGES, MAX_BYTES = {}, {}\n\
             local MAX_CLIENTS, MAX_SUBSCRIBERS, MAX_LISTENERS = {}, {}, {CONTROL_STREAMS}\n\
             local MAX_FINISHED, MAX_UNFINISHED = {FINISHED_KEYS}, {UNFINISHED_KEYS}\n\
             local MAX_ANSWER, MAX_ENDED, ENDED_AGE = {PART}, {}, {}\n\
             local STALL, EXPIRY = {stall_millis}, {}\n",
            limits.log.messages,
            limits.log.bytes,
            limits.clients,
            limits.subscribers,
            TOMBSTONES.div_ceil(BUCKETS),
            TOMBSTONE_AGE.as_millis(),
            (limits.idle_timeout * 3).as_millis(),
        );
        let plain = |name, body: &str| Timed::new(name, &[&constants, body].concat());
        let channel = include_str!("scripts/channel.lua");
        let script = |name, body: &str| Timed::new(name, &[&constants, channel, body].concat());
        // The scripts that read or free memory run even if the store's memory is full.
        let always = |name, body: &str| {
            let text = ["#!lua flags=allow-oom\n", &constants, channel, body];
            Timed::new(name, &text.concat())
        };
        let part = include_str!("scripts/log_part.lua");
        let reads = |name, body: &str| always(name, &[part, body].concat());
        Self {
            open: script("open", include_str!("scripts/open.lua")),
            publish: script("publish", include_str!("scripts/publish.lua")),
            publish_plain: plain("publish_plain", include_str!("scripts/publish_plain.lua")),
            join: reads("join", include_str!("scripts/join.lua")),
            read_log: reads("read_log", include_str!("scripts/read_log.lua")),
            report: always("report", include_str!("scripts/report.lua")),
            lost: always("lost", include_str!("scripts/lost.lua")),
            finish: always("finish", include_str!("scripts/finish.lua")),
            request: always("request", include_str!("scripts/request.lua")),
            begin: always("begin", include_str!("scripts/begin.lua")),
            done: always("done", include_str!("scripts/done.lua")),
            gone: always("gone", include_str!("scripts/gone.lua")),
            drop: always("drop", include_str!("scripts/drop.lua")),
            link,
            prefix,
            limits,
        }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Returns a key of one bucket. The braces put all keys of one script into the same slot of a cluster.
    pub(super) fn bucket_key(&self, bucket: usize, name: &str) -> String {
        format!("{}:{{{bucket:02x}}}:{name}", self.prefix)
    }

    /// Returns a key outside of the buckets.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    /// Returns all scripts, for their timings.
    pub(super) fn all(&self) -> [&Timed; 13] {
        [
            &self.open,
            &self.publish,
            &self.publish_plain,
            &self.join,
            &self.read_log,
            &self.report,
            &self.lost,
            &self.finish,
            &self.request,
            &self.begin,
            &self.done,
            &self.gone,
            &self.drop,
        ]
    }

    fn keys(&self, id: ClientId) -> [String; 11] {
        let bucket = usize::from(id.as_bytes()[0]);
        let of_channel = |name: &str| self.bucket_key(bucket, &format!("{id}{name}"));
        let of_bucket = |name: &str| self.bucket_key(bucket, name);
        [
            of_channel(""),
            of_channel(":log"),
            of_channel(":audience"),
            of_channel(":work"),
            of_channel(":keys"),
            of_channel(":finished"),
            of_channel(":unfinished"),
            of_bucket("open"),
            of_bucket("ended"),
            of_bucket("reasons"),
            self.key("clients"),
        ]
    }

    async fn call(
        &self,
        script: &Timed,
        id: ClientId,
        arguments: &[&[u8]],
    ) -> Result<Answer, Refusal> {
        let answer = self.ask(script, id, arguments).await?;
        self.checked(answer)
    }

    async fn ask(
        &self,
        script: &Timed,
        id: ClientId,
        arguments: &[&[u8]],
    ) -> Result<Answer, Refusal> {
        let asked = script.run(&self.link, |invocation| {
            for key in self.keys(id) {
                invocation.key(key);
            }
            for argument in arguments {
                invocation.arg(*argument);
            }
        });
        let parts: Vec<Vec<u8>> = asked.await?;
        Ok(Answer(parts.into()))
    }

    /// Converts a script's refusal to an error; returns the rest of any other answer.
    fn checked(&self, mut answer: Answer) -> Result<Answer, Refusal> {
        let refusal = match &*answer.text()? {
            "ok" | "active" => return Ok(answer),
            "unknown" => hub::Refusal::Unknown,
            "ended" => hub::Refusal::Ended,
            "clients" => hub::Refusal::TooManyClients(self.limits.clients),
            "subscribers" => hub::Refusal::TooManySubscribers(self.limits.subscribers),
            "listeners" => hub::Refusal::TooManyControlStreams(CONTROL_STREAMS),
            _ => return Err(Refusal::StoreAway),
        };
        Err(refusal.into())
    }

    /// Opens a channel if it is missing.
    pub(super) async fn open(&self, id: ClientId) -> Result<(), Refusal> {
        self.call(&self.open, id, &[]).await.map(drop)
    }

    /// Adds a node to a channel's audience. Returns the log from the requested message on, or all of it if that message
    /// is no longer held. Reads it in parts, so that no answer takes long.
    pub(super) async fn join(
        &self,
        id: ClientId,
        node: &str,
        joining: &Joining,
    ) -> Result<Join, Refusal> {
        let arguments = [
            node,
            &joining.subscribers.to_string(),
            &joining.listeners.to_string(),
            if joining.makes { "make" } else { "" },
            &joining.from.map_or_else(String::new, |it| it.to_string()),
            if joining.resumes { "resumes" } else { "" },
        ];
        let mut answer = self
            .ask(&self.join, id, &arguments.map(str::as_bytes))
            .await?;
        if answer.0.front().is_some_and(|it| it == b"ended") {
            answer.text()?;
            let (reason, _at) = (answer.text()?, answer.text()?);
            let end = End::from_name(&reason).unwrap_or(End::Idle);
            return Ok(Join::Ended(end, answer.id()?));
        }
        let mut answer = self.checked(answer)?;
        let created = answer.number()?;
        let (reason, at) = (answer.text()?, answer.text()?);
        let ended = End::from_name(&reason).zip(at.parse::<f64>().ok());
        let past = ended.map(|(end, at)| ClientPast::Ended {
            end,
            at: millis(at),
        });
        let control = answer.control()?;
        let lost = answer.number()?;
        let newest: u64 = answer.number()?;
        let (held_from, before) = (answer.number()?, answer.id()?);
        let mut image = Image {
            created,
            held_from,
            before,
            events: answer.entries()?,
            lost: (lost > 0).then_some(lost),
            control,
        };
        while image.last().seq < newest {
            self.read_on(id, &mut image).await?;
        }
        Ok(Join::Joined(image, past))
    }

    /// Adds the next part of the log to an image. If the log has dropped messages that the image lacks, the image begins
    /// after them. Fails if the channel has ended, or lost messages, meanwhile: the caller joins again.
    async fn read_on(&self, id: ClientId, image: &mut Image) -> Result<(), Refusal> {
        let arguments = [image.created.to_string(), image.last().seq.to_string()];
        let arguments = [arguments[0].as_bytes(), arguments[1].as_bytes()];
        let answer = self.call(&self.read_log, id, &arguments).await;
        let mut answer = answer.map_err(|_| Refusal::StoreAway)?;
        image.held_from = answer.number()?;
        let before = answer.id()?;
        if before.seq > image.last().seq {
            image.before = before;
            image.events.clear();
        } else if before != image.last() {
            // The store has lost messages, and given their numbers to others.
            return Err(Refusal::StoreAway);
        }
        image.events.extend(answer.entries()?);
        Ok(())
    }

    /// Reports a node's readers. If nobody uses the mirror, the node leaves the audience.
    pub(super) async fn report(
        &self,
        id: ClientId,
        node: &str,
        change: &MirrorChange,
    ) -> Result<ControlState, Refusal> {
        let arguments = [
            node,
            &change.readers.to_string(),
            &change.listeners.to_string(),
            &change.slowest.to_string(),
            if change.is_unused { "leaves" } else { "" },
            if change.is_closing && change.readers == 0 {
                "away"
            } else {
                ""
            },
        ];
        let mut answer = self
            .call(&self.report, id, &arguments.map(str::as_bytes))
            .await?;
        answer.control()
    }

    /// Notes that the store has lost messages right before this number.
    pub(super) async fn note_loss(&self, id: ClientId, place: u64) -> Result<(), Refusal> {
        let place = place.to_string();
        self.call(&self.lost, id, &[place.as_bytes()])
            .await
            .map(drop)
    }

    /// Ends a channel.
    pub(super) async fn end(&self, id: ClientId, end: End) -> Result<(), Refusal> {
        let reason = end.as_str().as_bytes();
        self.call(&self.finish, id, &[reason]).await.map(drop)
    }

    /// Ends a channel if it has not been active since this time.
    pub(super) async fn end_if_idle(&self, id: ClientId, since: UnixMillis) -> Result<(), Refusal> {
        let arguments = [End::Idle.as_str(), &since.to_string()];
        self.call(&self.finish, id, &arguments.map(str::as_bytes))
            .await
            .map(drop)
    }

    /// Notes a watcher's control request.
    pub(super) async fn request(
        &self,
        id: ClientId,
        request: ControlRequest,
    ) -> Result<ControlState, Refusal> {
        let [level, cancel] = pack(request);
        let arguments = [level.as_bytes(), cancel.as_bytes()];
        self.call(&self.request, id, &arguments).await?.control()
    }

    /// Returns a channel's entry in a list; `None` if it has ended.
    pub(super) async fn info(&self, id: ClientId) -> Result<Option<ClientInfo>, Refusal> {
        let [channel, ..] = self.keys(id);
        let mut command = redis::cmd("HMGET");
        command.arg(channel).arg(&["position", "created", "active"]);
        let found: (Option<String>, Option<u64>, Option<u64>) = self.link.query(&command).await?;
        let (Some(position), Some(created), Some(active)) = found else {
            return Ok(None);
        };
        let numbers = numbers(&position).ok_or(Refusal::StoreAway)?;
        let [messages, newest, _bytes, subscribers, _dropped, _held]: [u64; 6] = numbers;
        let delivered = if subscribers > 0 { newest } else { 0 };
        Ok(Some(ClientInfo {
            id,
            subscribers: usize::try_from(subscribers).unwrap_or(usize::MAX),
            messages,
            created,
            last_activity: active.max(delivered),
        }))
    }
}

/// Returns an operation in the form of the scripts: `=` and its name; empty if there is none.
fn named(operation: Option<&Operation>) -> String {
    operation.map_or_else(String::new, |it| format!("={}", it.as_str()))
}

#[cfg(test)]
pub(in crate::store) mod tests;
