//! [`MemoryParts`]: what is known of parts, in this process's memory. Does not survive it, as the log there does not.

use std::collections::HashMap;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{KEPT_MIN, PartId, Parts};
use crate::{eventlog::LogError, model::ProductId};

/// Parts in memory, in two generations: when the young one is full it becomes the old one, and the old one goes.
#[derive(Debug)]
pub struct MemoryParts {
    generations: Mutex<Generations>,
    kept_min: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<PartId, ProductId>,
    old: HashMap<PartId, ProductId>,
}

impl Default for MemoryParts {
    fn default() -> Self {
        Self::keeping(KEPT_MIN)
    }
}

impl MemoryParts {
    /// At least that many, at most twice as many.
    pub fn keeping(kept_min: usize) -> Self {
        Self { generations: Mutex::default(), kept_min }
    }
}

impl Generations {
    fn keep(&mut self, part: PartId, product_id: ProductId, kept_min: usize) {
        self.young.insert(part, product_id);
        if self.young.len() >= kept_min {
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// What was asked about is young again.
    fn find(&mut self, part: &PartId, kept_min: usize) -> Option<ProductId> {
        if let Some(found) = self.young.get(part) {
            return Some(found.clone());
        }
        let found = self.old.get(part)?.clone();
        self.keep(part.clone(), found.clone(), kept_min);
        Some(found)
    }
}

#[async_trait]
impl Parts for MemoryParts {
    async fn learn(&self, known: &[(PartId, ProductId)]) -> Result<(), LogError> {
        let mut generations = self.generations.lock();
        for (part, product_id) in known {
            generations.keep(part.clone(), product_id.clone(), self.kept_min);
        }
        Ok(())
    }

    async fn find(&self, parts: &[PartId]) -> Result<Vec<Option<ProductId>>, LogError> {
        let mut generations = self.generations.lock();
        Ok(parts.iter().map(|part| generations.find(part, self.kept_min)).collect())
    }
}
