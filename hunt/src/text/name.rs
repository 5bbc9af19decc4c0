//! Which names look alike, so that a session has no two teams and a team no two players of one name.
//!
//! Within one script, names are the same that differ in case, width and accents. Across scripts, names
//! are the same that are confusable by UTS 39: `Owls` in Latin and `Оwls` with a Cyrillic letter.

use std::collections::{BTreeMap, BTreeSet};

use icu_properties::CodePointMapData;
use icu_properties::props::Script;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

use super::guess::fold_name;

/// Comparison key of a name. Two names whose keys match look the same to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameKey {
    /// The name without case, width and accents.
    folded: String,
    /// The skeletons of UTS 39 of the name in lower and in upper case: letters of two scripts may look
    /// alike in one of them only.
    skeletons: [String; 2],
    /// The scripts of its letters.
    scripts: BTreeSet<Script>,
}

impl NameKey {
    /// The key of a name that [`acceptable_name`](super::acceptable_name) returned.
    pub fn new(name: &str) -> Self {
        let folded = fold_name(name);
        let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
        let scripts = folded
            .chars()
            .map(|c| CodePointMapData::<Script>::new().get(c));
        let scripts =
            scripts.filter(|script| !matches!(*script, Script::Common | Script::Inherited));
        Self {
            skeletons: [skeleton(&lower).collect(), skeleton(&folded).collect()],
            scripts: scripts.collect(),
            folded,
        }
    }

    /// Whether people would take the two names for the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.folded == other.folded
            || (self.scripts != other.scripts && self.shares_skeleton_with(other))
    }

    fn shares_skeleton_with(&self, other: &Self) -> bool {
        self.skeletons
            .iter()
            .zip(&other.skeletons)
            .any(|(ours, theirs)| ours == theirs)
    }
}

/// Names by skeleton, each with the scripts of its letters.
type BySkeleton<T> = BTreeMap<String, Vec<(BTreeSet<Script>, T)>>;

/// Index of the names in use, by their keys; `T` identifies a name.
#[derive(Debug)]
pub struct NameIndex<T> {
    folded: BTreeMap<String, T>,
    by_skeleton: [BySkeleton<T>; 2],
}

impl<T> Default for NameIndex<T> {
    fn default() -> Self {
        Self {
            folded: BTreeMap::new(),
            by_skeleton: [BTreeMap::new(), BTreeMap::new()],
        }
    }
}

impl<T: Copy + PartialEq> NameIndex<T> {
    /// The owner of a name that is the same as this one, if there is one.
    pub fn find(&self, key: &NameKey) -> Option<T> {
        if let Some(owner) = self.folded.get(&key.folded) {
            return Some(*owner);
        }
        let lists = self.by_skeleton.iter().zip(&key.skeletons);
        let mut confusable = lists
            .filter_map(|(map, skeleton)| map.get(skeleton))
            .flatten();
        let found = confusable.find(|(scripts, _)| *scripts != key.scripts);
        found.map(|(_, owner)| *owner)
    }

    /// Adds a name. One that equals another in all but its owner replaces it.
    pub fn insert(&mut self, key: NameKey, owner: T) {
        for (map, skeleton) in self.by_skeleton.iter_mut().zip(key.skeletons) {
            map.entry(skeleton)
                .or_default()
                .push((key.scripts.clone(), owner));
        }
        self.folded.insert(key.folded, owner);
    }

    /// Removes a name of an owner.
    pub fn remove(&mut self, key: &NameKey, owner: T) {
        for (map, skeleton) in self.by_skeleton.iter_mut().zip(&key.skeletons) {
            if let Some(list) = map.get_mut(skeleton) {
                list.retain(|(scripts, theirs)| *theirs != owner || *scripts != key.scripts);
                if list.is_empty() {
                    map.remove(skeleton);
                }
            }
        }
        if self.folded.get(&key.folded) == Some(&owner) {
            self.folded.remove(&key.folded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NameIndex, NameKey};

    #[test]
    fn names_are_the_same_by_what_people_see() {
        for (one, other, same) in [
            ("Owls", "owls", true),
            ("Owls", "Ｏｗｌｓ", true),
            ("Owls", "Öwls", true),
            ("Owls", "  Owls", true),
            ("Night Owls", "Night  Owls", true),
            ("Owls", "Оwls", true),
            ("Owls", "оwls", true),
            ("cop", "сор", true),
            ("☃", "☂", false),
            ("☃", "☃☃", false),
            ("Owls", "Owls 2", false),
            ("Team 1", "Team l", false),
            ("МОЙ", "МОИ", false),
            ("C", "C++", false),
            ("夜の梟", "昼の梟", false),
        ] {
            let (one_key, other_key) = (NameKey::new(one), NameKey::new(other));
            assert_eq!(one_key.is_same_as(&other_key), same, "{one} and {other}");
            let mut index = NameIndex::default();
            index.insert(one_key.clone(), 1);
            assert_eq!(
                index.find(&other_key),
                same.then_some(1),
                "{one} and {other}"
            );
            index.remove(&one_key, 1);
            assert_eq!(index.find(&other_key), None);
        }
    }
}
