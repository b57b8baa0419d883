//! Label sets as numbers.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Index;

use crate::tsdb::Labels;

/// A label set of a [`LabelTable`]; equal numbers are equal sets. Counted from one, so that an optional one is no larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SetId(NonZeroU32);

impl SetId {
    /// `{}`.
    pub(super) const EMPTY: SetId = SetId(NonZeroU32::MIN);

    #[inline]
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// All label sets an evaluator has met.
#[derive(Debug)]
pub(super) struct LabelTable {
    sets: Vec<Labels>,
    /// For look-ups only; never iterated.
    ids: HashMap<Labels, SetId>,
    without_name: Memo<SetId>,
    seen: SetMap<()>,
}

impl LabelTable {
    pub(super) fn new() -> Self {
        let mut table = LabelTable {
            sets: Vec::new(),
            ids: HashMap::new(),
            without_name: Memo::default(),
            seen: SetMap::default(),
        };
        table.intern(Labels::empty());
        table
    }

    /// How many sets it holds.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// The number of a set.
    pub(super) fn intern(&mut self, labels: Labels) -> SetId {
        if let Some(id) = self.ids.get(&labels) {
            return *id;
        }
        self.sets.push(labels.clone());
        let number = u32::try_from(self.sets.len())
            .ok()
            .and_then(NonZeroU32::new);
        let id =
            SetId(number.expect("an evaluator starts afresh long before it knows 2^32 label sets"));
        self.ids.insert(labels, id);
        id
    }

    /// The set without its metric name.
    pub(super) fn without_name(&mut self, id: SetId) -> SetId {
        if let Some(unnamed) = self.without_name.get(id) {
            return unnamed;
        }
        let unnamed = self.intern(self[id].without_name());
        self.without_name.set(id, unnamed);
        unnamed
    }

    /// Whether a set comes twice.
    pub(super) fn has_duplicates(&mut self, sets: impl IntoIterator<Item = SetId>) -> bool {
        self.seen.clear();
        sets.into_iter()
            .any(|id| self.seen.insert(id, ()).is_some())
    }
}

impl Index<SetId> for LabelTable {
    type Output = Labels;
    fn index(&self, id: SetId) -> &Labels {
        &self.sets[id.index()]
    }
}

/// What has been worked out for some sets, once and for all.
#[derive(Clone, Debug)]
pub(super) struct Memo<T> {
    known: Vec<Option<T>>,
}

impl<T: Copy> Memo<T> {
    #[inline]
    pub(super) fn get(&self, id: SetId) -> Option<T> {
        self.known.get(id.index()).copied().flatten()
    }

    pub(super) fn set(&mut self, id: SetId, value: T) {
        if self.known.len() <= id.index() {
            self.known.resize(id.index() + 1, None);
        }
        self.known[id.index()] = Some(value);
    }

    /// The value for a set, worked out now if it never was.
    pub(super) fn get_or(&mut self, id: SetId, make: impl FnOnce() -> T) -> T {
        match self.get(id) {
            Some(value) => value,
            None => {
                let value = make();
                self.set(id, value);
                value
            }
        }
    }
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Memo { known: Vec::new() }
    }
}

/// A map from sets that is emptied in no time, for use anew in each evaluation.
#[derive(Clone, Debug)]
pub(super) struct SetMap<T> {
    /// The round in which a slot was last written; slots of earlier rounds count as empty.
    rounds: Vec<u64>,
    values: Vec<T>,
    round: u64,
}

impl<T: Copy + Default> SetMap<T> {
    pub(super) fn clear(&mut self) {
        self.round += 1;
    }

    pub(super) fn get(&self, id: SetId) -> Option<T> {
        let written = *self.rounds.get(id.index())?;
        (written == self.round).then(|| self.values[id.index()])
    }

    /// Sets the value of a set; answers with the one it had.
    pub(super) fn insert(&mut self, id: SetId, value: T) -> Option<T> {
        if self.rounds.len() <= id.index() {
            self.rounds.resize(id.index() + 1, 0);
            self.values.resize(id.index() + 1, T::default());
        }
        let before = self.get(id);
        self.rounds[id.index()] = self.round;
        self.values[id.index()] = value;
        before
    }
}

impl<T> Default for SetMap<T> {
    fn default() -> Self {
        SetMap {
            rounds: Vec::new(),
            values: Vec::new(),
            // Slots are made with round 0, so the first real round is 1.
            round: 1,
        }
    }
}
