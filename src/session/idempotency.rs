//! Idempotency keys: which request used a key in this session, and the receipt that it got.
//!
//! Of a key only its SHA-256 is kept, as a private record that is stored with the events that the request
//! caused. Never decides whether a repeated request may still be answered.

use std::collections::HashMap;

use hunt::{Receipt, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::journal::{PrivateKind, PrivateRecord};

/// Keys that a session keeps; a further one replaces the oldest.
const KEYS_MAX: u64 = 20_000;
/// Milliseconds for which a key is valid.
const VALID_MS: u64 = 24 * 60 * 60 * 1_000;

/// SHA-256 of a key, in hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyDigest(String);

impl KeyDigest {
    /// The digest of a key as it was sent.
    pub fn new(key: &str) -> Self {
        Self(hex::encode(Sha256::digest(key)))
    }
}

/// The idempotency key of a request, with the fingerprint of the request. It has no `Debug`, so that it
/// cannot reach a log.
#[derive(Clone)]
pub struct IdempotencyKey {
    digest: KeyDigest,
    request: u64,
}

impl IdempotencyKey {
    /// The key of a request that consists of these parts: its route, its requester and its body.
    pub fn new(digest: KeyDigest, parts: [&[u8]; 3]) -> Self {
        let mut fingerprint = Sha256::new();
        for part in parts {
            fingerprint.update((part.len() as u64).to_be_bytes());
            fingerprint.update(part);
        }
        let request = first_64_bits(&fingerprint.finalize());
        Self { digest, request }
    }

    /// A number that depends on the key and on the request, and on nothing else.
    pub fn number(&self) -> u64 {
        let mut number = Sha256::new();
        number.update(&self.digest.0);
        number.update(self.request.to_be_bytes());
        first_64_bits(&number.finalize())
    }
}

fn first_64_bits(digest: &[u8]) -> u64 {
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first)
}

/// State of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// It was not used, or has expired.
    New,
    /// The same request used it, and got this receipt.
    Repeated(Receipt),
    /// Another request used it.
    OtherRequest,
}

/// The text of a key's private record.
#[derive(Serialize, Deserialize)]
struct StoredKey {
    /// Its number: keys of a session are counted from 0. The record's id is this modulo [`KEYS_MAX`].
    number: u64,
    at: Timestamp,
    key: KeyDigest,
    request: u64,
    receipt: Receipt,
}

/// The keys of a session, at most [`KEYS_MAX`].
#[derive(Default)]
pub(super) struct IdempotencyKeys {
    by_digest: HashMap<KeyDigest, StoredKey>,
    /// The digest in each slot.
    slots: HashMap<u64, KeyDigest>,
    /// The number of the next key.
    next: u64,
}

impl IdempotencyKeys {
    pub(super) fn find(&self, key: &IdempotencyKey, now: Timestamp) -> KeyUse {
        let known = self.by_digest.get(&key.digest);
        match known.filter(|known| now.ms_since(known.at) <= VALID_MS) {
            None => KeyUse::New,
            Some(known) if known.request == key.request => KeyUse::Repeated(known.receipt),
            Some(_) => KeyUse::OtherRequest,
        }
    }

    /// The record of the next key, to be stored with the events of its request.
    pub(super) fn record(
        &self,
        key: IdempotencyKey,
        at: Timestamp,
        receipt: Receipt,
    ) -> PrivateRecord {
        let stored = StoredKey {
            number: self.next,
            at,
            key: key.digest,
            request: key.request,
            receipt,
        };
        PrivateRecord {
            kind: PrivateKind::IdempotencyKey,
            id: self.next % KEYS_MAX,
            text: serde_json::to_string(&stored).expect("a key is a map of numbers and text"),
        }
    }

    /// Adds a stored key, which replaces the one in its slot. An unreadable record is ignored: the key counts
    /// as unused.
    pub(super) fn put(&mut self, record: &PrivateRecord) {
        let Ok(stored) = serde_json::from_str::<StoredKey>(&record.text) else {
            return;
        };
        self.next = self.next.max(stored.number + 1);
        let slot = stored.number % KEYS_MAX;
        if let Some(before) = self.slots.insert(slot, stored.key.clone())
            && self
                .by_digest
                .get(&before)
                .is_some_and(|old| old.number % KEYS_MAX == slot)
        {
            self.by_digest.remove(&before);
        }
        let newer = self.by_digest.get(&stored.key);
        if newer.is_none_or(|newer| newer.number < stored.number) {
            self.by_digest.insert(stored.key.clone(), stored);
        }
    }
}

#[cfg(test)]
mod tests {
    use hunt::{ClueId, Receipt, Timestamp};

    use super::{IdempotencyKey, IdempotencyKeys, KEYS_MAX, KeyDigest, KeyUse, VALID_MS};

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn key(name: &str, request: &str) -> IdempotencyKey {
        IdempotencyKey::new(KeyDigest::new(name), [b"route", b"", request.as_bytes()])
    }

    fn receipt(clue: u32) -> Receipt {
        Receipt::CluePushed {
            clue: ClueId::from(clue),
        }
    }

    fn add(keys: &mut IdempotencyKeys, name: &str, at: Timestamp, clue: u32) {
        let record = keys.record(key(name, "a"), at, receipt(clue));
        keys.put(&record);
    }

    #[test]
    fn a_repeat_gets_the_receipt_and_other_content_does_not() {
        let mut keys = IdempotencyKeys::default();
        assert_eq!(keys.find(&key("k", "a"), NOW), KeyUse::New);
        add(&mut keys, "k", NOW, 7);
        assert_eq!(keys.find(&key("k", "a"), NOW), KeyUse::Repeated(receipt(7)));
        assert_eq!(keys.find(&key("k", "b"), NOW), KeyUse::OtherRequest);
        assert_eq!(keys.find(&key("l", "a"), NOW), KeyUse::New);
    }

    #[test]
    fn the_parts_of_a_request_are_kept_apart() {
        let digest = || KeyDigest::new("k");
        let one = IdempotencyKey::new(digest(), [b"ab", b"c", b""]);
        let other = IdempotencyKey::new(digest(), [b"a", b"bc", b""]);
        assert_ne!(one.request, other.request);
    }

    #[test]
    fn a_key_is_valid_for_a_day_and_may_be_used_again() {
        let mut keys = IdempotencyKeys::default();
        add(&mut keys, "k", NOW, 1);
        let last = NOW.plus_ms(VALID_MS);
        assert_eq!(
            keys.find(&key("k", "a"), last),
            KeyUse::Repeated(receipt(1))
        );
        assert_eq!(keys.find(&key("k", "b"), last.plus_ms(1)), KeyUse::New);
        add(&mut keys, "k", last.plus_ms(1), 2);
        assert_eq!(
            keys.find(&key("k", "a"), last.plus_ms(1)),
            KeyUse::Repeated(receipt(2))
        );
    }

    #[test]
    fn the_newest_keys_are_kept_also_after_a_recovery_in_any_order() {
        let mut keys = IdempotencyKeys::default();
        let mut records = std::collections::BTreeMap::new();
        // The first key is used again at the end: its old slot is overwritten without losing it.
        let names: Vec<String> = (0..=KEYS_MAX).map(|n| format!("k{n}")).collect();
        for name in names.iter().map(String::as_str).chain(["k5"]) {
            let record = keys.record(key(name, "a"), NOW, receipt(1));
            keys.put(&record);
            records.insert(record.id, record);
        }
        for _ in 0..6 {
            let name = format!("more{}", keys.next);
            let record = keys.record(key(&name, "a"), NOW, receipt(1));
            keys.put(&record);
            records.insert(record.id, record);
        }
        let mut recovered = IdempotencyKeys::default();
        records
            .values()
            .rev()
            .for_each(|record| recovered.put(record));
        for keys in [&keys, &recovered] {
            assert_eq!(keys.next, KEYS_MAX + 8);
            assert!(keys.by_digest.len() as u64 <= KEYS_MAX);
            for (name, used) in [
                ("k0", KeyUse::New),
                ("k7", KeyUse::New),
                ("k5", KeyUse::Repeated(receipt(1))),
                ("k8", KeyUse::Repeated(receipt(1))),
                ("k20000", KeyUse::Repeated(receipt(1))),
            ] {
                assert_eq!(keys.find(&key(name, "a"), NOW), used, "{name}");
            }
        }
    }
}
