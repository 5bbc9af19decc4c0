//! Something that is sent whole to whoever has none, and as a change to whoever has one.
//!
//! A change is made for the version that a connection was sent last, whichever that is of the last
//! few; a connection that lags further behind gets the whole. So what a slow reader never saw does
//! not matter, and no version is ever a base before it was sent.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Codec, ServerMessage};

use super::Encoded;

/// Versions that a change may be made of. At two a second, a connection may lag two seconds behind
/// before it gets the whole. Each version that is kept costs its content once.
const BASES_MAX: usize = 4;

/// What is shown.
pub(in crate::delivery) trait Content: PartialEq {
    /// All of it.
    fn whole(&self, version: u64) -> ServerMessage;

    /// What has changed since a base; none if that is as much as the whole.
    fn change(&self, version: u64, since: &Self, base: u64) -> Option<ServerMessage>;
}

/// One version of some content, with the last ones before it.
#[derive(Debug)]
pub(in crate::delivery) struct Versioned<T> {
    version: u64,
    content: Arc<T>,
    whole: Encoded,
    /// The newest first.
    bases: Vec<Base<T>>,
}

#[derive(Debug)]
struct Base<T> {
    version: u64,
    content: Arc<T>,
    change: Encoded,
}

impl<T: Content> Versioned<T> {
    /// The version after another one, or the first.
    pub(in crate::delivery) fn after(before: Option<&Self>, content: T) -> Arc<Self> {
        let base = |version, content: &Arc<T>| Base {
            version,
            content: content.clone(),
            change: Encoded::default(),
        };
        let earlier = before.into_iter().flat_map(|before| {
            let older = before.bases.iter();
            let older = older.map(|base| (base.version, &base.content));
            std::iter::once((before.version, &before.content)).chain(older)
        });
        Arc::new(Self {
            version: before.map_or(1, |before| before.version + 1),
            content: content.into(),
            whole: Encoded::default(),
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

    /// The frame for a connection on which version `sent` was sent last; none if that is this one.
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
