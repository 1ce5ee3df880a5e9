//! Where hub and wire meet: how a hub's events are written into streams.

use crate::hub::{Frames, Hub, Limits};
use crate::wire::sse;

/// How events are written into streams, as docs/http-api.md has it.
pub const FRAMES: Frames = Frames {
    text: sse::text_frame,
    json: sse::json_frame,
};

impl Hub {
    /// An empty hub, for a server of any kind: see `router` and `serve`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::with_frames(limits, FRAMES)
    }
}
