//! A cache of rendered texts by their hash.
//!
//! Bounded in bytes. Overflow policy: the oldest text is evicted, and rendered again when it is asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use hunt::ContentHash;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::html::render;
use crate::telemetry::metrics;

/// Bytes of HTML in the cache: 250 hunts with 100 puzzles of 2 KB.
const RENDERED_BYTES_MAX: usize = 64 << 20;
/// Maximum number of concurrent renderings. Further requests wait for a permit; most of them then find their
/// text in the cache, because after an unlock all clients request the same one.
const RENDERINGS_MAX: usize = 2;

/// Rendered texts.
pub struct Bodies {
    kept: Mutex<Kept>,
    renderings: Semaphore,
}

/// A text could not be rendered, which is a defect of the renderer.
#[derive(Debug, thiserror::Error)]
#[error("a text could not be rendered: {0}")]
pub struct RenderingFailed(#[from] tokio::task::JoinError);

struct Kept {
    html: HashMap<ContentHash, Bytes>,
    /// The oldest first.
    order: VecDeque<ContentHash>,
    bytes: usize,
    bytes_max: usize,
}

impl Bodies {
    /// An empty cache.
    pub fn new() -> Self {
        Self::with_bytes_max(RENDERED_BYTES_MAX)
    }

    fn with_bytes_max(bytes_max: usize) -> Self {
        Self {
            kept: Mutex::new(Kept {
                html: HashMap::new(),
                order: VecDeque::new(),
                bytes: 0,
                bytes_max,
            }),
            renderings: Semaphore::new(RENDERINGS_MAX),
        }
    }

    /// The HTML of a text with this hash, from the cache or rendered on a blocking thread. Cancel-safe.
    pub async fn html(&self, hash: ContentHash, markdown: &str) -> Result<Bytes, RenderingFailed> {
        if let Some(html) = self.cached(hash) {
            return Ok(html);
        }
        let _permit = self.renderings.acquire().await;
        // Another request may have rendered it during the wait for the permit.
        if let Some(html) = self.cached(hash) {
            return Ok(html);
        }
        let markdown = markdown.to_owned();
        let html = spawn_blocking(move || Bytes::from(render(&markdown))).await?;
        metrics().bodies_rendered.increment(1);
        self.kept().keep(hash, html.clone());
        Ok(html)
    }

    fn cached(&self, hash: ContentHash) -> Option<Bytes> {
        let html = self.kept().html.get(&hash).cloned();
        metrics().bodies_shared.increment(u64::from(html.is_some()));
        html
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        let kept = self.kept.lock();
        kept.expect("nothing panics while it holds the lock")
    }
}

impl Default for Bodies {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn keep(&mut self, hash: ContentHash, html: Bytes) {
        if html.len() > self.bytes_max || self.html.contains_key(&hash) {
            return;
        }
        self.bytes += html.len();
        self.html.insert(hash, html);
        self.order.push_back(hash);
        while self.bytes > self.bytes_max {
            let oldest = self.order.pop_front();
            let oldest = oldest.expect("every kept text is in the order");
            let evicted = self.html.remove(&oldest);
            self.bytes -= evicted.expect("every text in the order is kept").len();
        }
    }
}

#[cfg(test)]
mod tests {
    use hunt::ContentHash;

    use super::Bodies;

    const TEXTS: [&str; 3] = ["one", "two", "six"];

    fn hash(text: &str) -> ContentHash {
        ContentHash::of_text(text).expect("it is not blank")
    }

    async fn html(bodies: &Bodies, text: &str) -> *const u8 {
        let html = bodies.html(hash(text), text).await.expect("it renders");
        assert_eq!(html, format!("<p>{text}</p>\n"));
        html.as_ptr()
    }

    #[tokio::test]
    async fn a_text_is_rendered_once() {
        let bodies = Bodies::new();
        let first = html(&bodies, "one").await;
        assert_eq!(html(&bodies, "one").await, first);
        assert_ne!(html(&bodies, "two").await, first);
    }

    #[tokio::test]
    async fn the_oldest_text_is_evicted_when_there_are_too_many_bytes() {
        let bodies = Bodies::with_bytes_max(2 * "<p>one</p>\n".len());
        for text in TEXTS {
            html(&bodies, text).await;
        }
        let kept = TEXTS.map(|text| bodies.kept().html.contains_key(&hash(text)));
        assert_eq!(kept, [false, true, true]);
        let kept = bodies.kept();
        assert_eq!((kept.order.len(), kept.bytes), (2, kept.bytes_max));
    }
}
