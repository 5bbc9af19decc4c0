//! Versioned values: sent whole on a connection that has none, and as a change afterwards.
//!
//! A change builds on the version that was sent last on the connection, if it is one of the last
//! [`BASES_MAX`]; otherwise the whole value is sent. So versions that a slow reader skipped do not
//! matter, and only a version that was sent is ever a base.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Codec, ServerMessage};

use super::encoded::LazyFrames;

/// Earlier versions that a change can build on. At two versions a second, a connection may lag two
/// seconds before it gets the whole value. Each kept version costs its content once.
const BASES_MAX: usize = 4;

/// The content of a versioned value, as messages.
pub(in crate::delivery) trait Content: PartialEq {
    /// The whole content.
    fn whole(&self, version: u64) -> ServerMessage;

    /// The change since a base version; none if it is as large as the whole.
    fn change(&self, version: u64, since: &Self, base: u64) -> Option<ServerMessage>;
}

/// One version of some content, with the versions before it.
#[derive(Debug)]
pub(in crate::delivery) struct Versioned<T> {
    version: u64,
    content: Arc<T>,
    whole: LazyFrames,
    /// Newest first.
    bases: Vec<Base<T>>,
}

#[derive(Debug)]
struct Base<T> {
    version: u64,
    content: Arc<T>,
    change: LazyFrames,
}

impl<T: Content> Versioned<T> {
    /// The version that follows `before`, or the first version.
    pub(in crate::delivery) fn after(before: Option<&Self>, content: T) -> Arc<Self> {
        let base = |version, content: &Arc<T>| Base {
            version,
            content: content.clone(),
            change: LazyFrames::default(),
        };
        let earlier = before.into_iter().flat_map(|before| {
            let older = before.bases.iter();
            let older = older.map(|base| (base.version, &base.content));
            std::iter::once((before.version, &before.content)).chain(older)
        });
        Arc::new(Self {
            version: before.map_or(1, |before| before.version + 1),
            content: content.into(),
            whole: LazyFrames::default(),
            bases: earlier
                .take(BASES_MAX)
                .map(|(version, content)| base(version, content))
                .collect(),
        })
    }

    pub(in crate::delivery) fn content(&self) -> &T {
        &self.content
    }

    pub(in crate::delivery) fn version(&self) -> u64 {
        self.version
    }

    /// The frame for a connection on which version `sent` was sent last, which it updates; none if that
    /// is this version.
    pub(super) fn frame(&self, codec: Codec, sent: &mut Option<u64>) -> Option<Bytes> {
        let last = sent.replace(self.version);
        if last == Some(self.version) {
            return None;
        }
        let base = last.and_then(|last| self.bases.iter().find(|base| base.version == last));
        Some(match base {
            None => self.whole(codec),
            Some(base) => base.change.get(codec, |codec| {
                let change = self
                    .content
                    .change(self.version, &base.content, base.version);
                match change {
                    Some(change) => codec.encode(&change),
                    None => self.whole(codec).into(),
                }
            }),
        })
    }

    fn whole(&self, codec: Codec) -> Bytes {
        self.whole.get(codec, |codec| {
            codec.encode(&self.content.whole(self.version))
        })
    }
}
